use super::*;
use crate::viewer::paired::requests::Tuning;
use crate::viewer::paired::testing::{Kind, PLAIN, TestCamera};

fn tuning(quality: u8) -> Request {
    Request::Tune(Tuning { quality: Some(quality), ..Tuning::default() })
}

#[test]
fn questions_are_answered_one_after_the_other() {
    let camera = TestCamera::start(PLAIN);
    let (peer, _folder) = camera.viewer(None);
    camera.admit(&[peer.identity.public()]);
    let mut errand = Errand::to(&peer, Duration::from_secs(20)).unwrap();
    for quality in [70, 71] {
        let reply = errand.ask(&tuning(quality)).unwrap();
        assert_eq!(reply.rest["asked"], serde_json::json!({"do": "tune", "quality": quality}));
    }
    errand.end();
}

#[test]
fn what_keeps_an_answer_away_is_told() {
    let camera = TestCamera::start(Kind { max_viewers: 1, ..PLAIN });
    let (mut peer, _folder) = camera.viewer(None);
    let refused =
        Errand::to(&peer, Duration::from_secs(20)).unwrap().ask(&tuning(1)).unwrap_err().to_string();
    assert!(refused.contains(&peer.own_key()), "{refused}");
    peer.target.key = peer.identity.public();
    let silent = Errand::to(&peer, Duration::from_secs(4)).unwrap().ask(&tuning(1)).unwrap_err().to_string();
    assert!(silent.starts_with("no answer for 4 s: ") && silent.contains("or the key"), "{silent}");
}
