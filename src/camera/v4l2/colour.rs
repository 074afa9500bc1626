//! What samples mean: matrix and range from the colour fields of a V4L2 format.

use v4l::format::{Colorspace, Quantization};
use v4l::v4l_sys::{
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601 as ENC_601, v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709 as ENC_709,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020 as ENC_BT2020,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020_CONST_LUM as ENC_BT2020_CONST_LUM,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_DEFAULT as ENC_DEFAULT,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SMPTE240M as ENC_SMPTE240M,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV601 as ENC_XV601,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV709 as ENC_XV709,
};

use super::sys::PixFormat;
use crate::picture::{Colour, Matrix, Range};

/// The meaning of Y'CbCr or grey samples.
///
/// Where a driver says "default", the colour space decides, as `V4L2_MAP_YCBCR_ENC_DEFAULT` and
/// `V4L2_MAP_QUANTIZATION_DEFAULT` of `linux/videodev2.h` do: BT.709 for Rec. 709 and DCI-P3, BT.601 for
/// the rest; limited range for all Y'CbCr but that of JPEG. SMPTE 240M and BT.2020 come nearest to BT.709.
/// Values that V4L2 does not know count as "default".
pub(super) fn colour(format: &PixFormat) -> Colour {
    let space = Colorspace::try_from(format.colorspace).unwrap_or(Colorspace::Default);
    let matrix = match format.ycbcr_enc {
        ENC_601 | ENC_XV601 => Matrix::Bt601,
        ENC_709 | ENC_XV709 | ENC_BT2020 | ENC_BT2020_CONST_LUM | ENC_SMPTE240M => Matrix::Bt709,
        _ => match space {
            Colorspace::Rec709 | Colorspace::DCIP3 | Colorspace::Rec2020 | Colorspace::SMPTE240M => {
                Matrix::Bt709
            }
            _ => Matrix::Bt601,
        },
    };
    let quantization = Quantization::try_from(format.quantization).unwrap_or(Quantization::Default);
    let range = match (quantization, space) {
        (Quantization::FullRange, _) | (Quantization::Default, Colorspace::JPEG) => Range::Full,
        (Quantization::LimitedRange | Quantization::Default, _) => Range::Limited,
    };
    Colour { matrix, range }
}

const _: () = assert!(ENC_DEFAULT == 0, "an unset field means the default");

#[cfg(test)]
mod tests {
    use v4l::FourCC;

    use super::*;

    #[test]
    fn defaults_follow_the_colour_space() {
        use Matrix::{Bt601, Bt709};
        use Range::{Full, Limited};
        // (colorspace, ycbcr_enc, quantization, matrix, range)
        let cases = [
            (0, 0, 0, Bt601, Limited),
            (Colorspace::SRGB as u32, 0, 0, Bt601, Limited), // what uvcvideo says of YUYV
            (Colorspace::SMPTE170M as u32, 0, 0, Bt601, Limited),
            (Colorspace::Rec709 as u32, 0, 0, Bt709, Limited),
            (Colorspace::DCIP3 as u32, 0, 0, Bt709, Limited),
            (Colorspace::Rec2020 as u32, 0, 0, Bt709, Limited),
            (Colorspace::JPEG as u32, 0, 0, Bt601, Full),
            (Colorspace::JPEG as u32, 0, 2, Bt601, Limited),
            (Colorspace::SRGB as u32, ENC_709, 1, Bt709, Full),
            (Colorspace::Rec709 as u32, ENC_601, 2, Bt601, Limited),
            (Colorspace::SRGB as u32, ENC_XV709, 0, Bt709, Limited),
            (4, 0, 0, Bt601, Limited),       // BT878, deprecated
            (999, 999, 999, Bt601, Limited), // from a newer kernel
        ];
        for (colorspace, ycbcr_enc, quantization, matrix, range) in cases {
            let format = PixFormat {
                fourcc: FourCC::new(b"YUYV"),
                width: 640,
                height: 480,
                bytes_per_line: 1280,
                size_image: 614_400,
                colorspace,
                ycbcr_enc,
                quantization,
            };
            let expected = Colour { matrix, range };
            assert_eq!(colour(&format), expected, "{colorspace} {ycbcr_enc} {quantization}");
        }
    }
}
