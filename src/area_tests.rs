use super::*;
use proptest::prelude::*;

fn rectangle(left: f64, top: f64, width: f64, height: f64) -> Corners {
    [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
}

#[test]
fn wrong_areas_are_named() {
    let good = rectangle(0.0, 0.0, 100.0, 80.0);
    let with = |corner: usize, to: [f64; 2]| {
        let mut area = good;
        area[corner] = to;
        area
    };
    let reversed = [good[0], good[3], good[2], good[1]];
    let far = |rect, corner, axis, value| AreaError::Coordinate { rect, corner, axis, value };
    let cases = [
        (with(0, [f64::INFINITY, 0.0]), good, far(Rect::Selected, 0, 0, f64::INFINITY)),
        (with(2, [9.0, -1.0]), good, far(Rect::Selected, 2, 1, -1.0)),
        (good, with(3, [0.0, 65_536.0]), far(Rect::Visible, 3, 1, 65_536.0)),
        ([[3.0, 3.0]; 4], good, AreaError::Flat { corner: 0 }),
        ([[0.0, 0.0], [9.0, 9.0], [20.0, 20.0], [5.0, 5.0]], good, AreaError::Flat { corner: 0 }),
        ([good[0], good[2], good[1], good[3]], good, AreaError::Crossing),
        (reversed, good, AreaError::CounterClockwise),
        (with(2, [10.0, 10.0]), good, AreaError::Dented { corner: 2 }),
        (with(1, [50.0, 40.0]), good, AreaError::Flat { corner: 1 }),
        (good, with(1, [100.0, 5.0]), AreaError::NotARectangle { corner: 1 }),
        (good, reversed, AreaError::Order { corner: 1, expected: [100.0, 0.0] }),
        (good, rectangle(0.0, 0.0, 16.5, 80.0), AreaError::Width(16.5)),
        (good, rectangle(0.0, 0.0, 15.0, 80.0), AreaError::Width(15.0)),
        (good, rectangle(7.0, 7.0, 16.0, 8193.0), AreaError::Height(8193.0)),
    ];
    for (selected, visible, error) in cases {
        assert_eq!(Area::new(selected, visible), Err(error), "{error}");
    }
    assert!(Area::new(with(0, [f64::NAN, 0.0]), good).is_err());
    assert_eq!(Area::new(good, rectangle(9.0, 7.0, 16.0, 8192.0)).unwrap().output_size(), (16, 8192));
}

#[test]
fn an_area_is_only_in_pictures_that_have_it() {
    let good = rectangle(0.0, 0.0, 100.0, 80.0);
    let area = Area::new(good, good).unwrap();
    assert_eq!(area.check_inside((100, 80)), Ok(()));
    let outside = AreaError::Outside { corner: 1, at: [100.0, 0.0], width: 99, height: 80 };
    assert_eq!(area.check_inside((99, 80)), Err(outside));
    assert_eq!(outside.to_string(), "corner 2 of selected_rect (100, 0) is outside of the picture of 99x80");
}

proptest! {
    /// Points on a circle, in order, are convex, wherever they begin; turned round, they are refused.
    #[test]
    fn clockwise_corners_are_taken_and_others_refused(
        gaps in proptest::array::uniform4(0.3f64..1.0),
        first in 0.0f64..6.0,
        radius in 20.0f64..400.0,
    ) {
        let whole: f64 = gaps.iter().sum();
        let mut angle = first;
        let mut corners = gaps.map(|gap| {
            angle += gap / whole * core::f64::consts::TAU;
            [500.0 + radius * angle.cos(), 500.0 + radius * angle.sin()]
        });
        let visible = rectangle(0.0, 0.0, 640.0, 360.0);
        prop_assert!(Area::new(corners, visible).is_ok());
        corners.reverse();
        prop_assert_eq!(Area::new(corners, visible), Err(AreaError::CounterClockwise));
    }
}
