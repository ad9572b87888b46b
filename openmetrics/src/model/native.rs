//! Native histograms: exponential buckets that need no choosing
//! ([native histograms](https://prometheus.io/docs/specs/native_histograms/), rules NH-01 to NH-33).
//!
//! Counts here are absolute and belong to one bucket each; deltas are some formats' way of writing them.

use std::fmt;

use super::value::Number;
use crate::error::{Error, Kind};

/// The resolution of native buckets: a bucket's bounds are `2^(2^-schema)` apart. Also the one for custom bounds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schema(i8);

impl Schema {
    /// The coarsest: each bucket is 65,536 times the one before.
    pub const MIN: Self = Self(-4);
    /// The finest: each bucket is 1.0027 times the one before.
    pub const MAX: Self = Self(8);
    /// Bounds of the user's own, converted from classic buckets; never written in an exposition (NH-24).
    pub const CUSTOM: Self = Self(-53);

    /// An exponential schema in [-4, 8] (NH-01).
    pub const fn exponential(schema: i32) -> Option<Self> {
        if schema >= -4 && schema <= 8 { Some(Self(schema as i8)) } else { None }
    }

    /// The schema with this number in an exposition: exponential or custom.
    pub fn from_number(schema: i32) -> Result<Self, Error> {
        match schema {
            -53 => Ok(Self::CUSTOM),
            _ => Self::exponential(schema).ok_or_else(|| Error::new(Kind::Schema { schema })),
        }
    }

    /// The number that formats write.
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// Whether bounds are given instead of computed.
    pub const fn is_custom(self) -> bool {
        self.0 == -53
    }

    /// The coarsest schema whose buckets grow by at most `factor` from one to the next, or the finest if all grow faster
    /// (NH-26); `None` if `factor` is not above 1.
    pub fn for_factor(factor: f64) -> Option<Self> {
        (-4..=8)
            .filter_map(Self::exponential)
            .find(|schema| schema.growth() <= factor)
            .or_else(|| (factor > 1.0).then_some(Self::MAX))
    }

    /// How much wider each bucket is than the one before: `2^(2^-schema)`.
    pub fn growth(self) -> f64 {
        (-f64::from(self.0)).exp2().exp2()
    }

    /// The bucket that `magnitude`, a value's distance from zero, belongs to (NH-05, NH-21). Infinity has a bucket of its
    /// own behind that of the largest number (NH-06); zero and NaN, which belong to none, have some other.
    ///
    /// ```
    /// use openmetrics::model::Schema;
    ///
    /// let schema = Schema::exponential(0).unwrap();
    /// assert_eq!([1.0, 1.5, 2.0, 2.1].map(|value| schema.index_of(value)), [0, 1, 1, 2]);
    /// ```
    #[inline]
    pub fn index_of(self, magnitude: f64) -> i32 {
        self.coarsened(finest_index(magnitude))
    }

    /// The index at this schema of the bucket that has the bucket with index `finest` of schema 8 in it.
    #[inline]
    pub(crate) const fn coarsened(self, finest: i32) -> i32 {
        merged_bucket(finest, (8 - self.0) as u32 & 31)
    }

    /// The upper bound of a bucket, as far from zero as it is: the largest number for the last bucket of numbers, and
    /// infinity for the one behind it (NH-06).
    pub fn upper_bound(self, index: i32) -> f64 {
        let per_octave = 1_i64 << self.0.max(0);
        let index = i64::from(index) << (-self.0).max(0);
        let (octave, within) = (index.div_euclid(per_octave), index.rem_euclid(per_octave));
        let mantissa = OCTAVE.get((within << (8 - self.0.max(0))) as usize).copied().unwrap_or(0);
        match octave {
            1024 if within == 0 => f64::MAX,
            1024.. => f64::INFINITY,
            -1022.. => f64::from_bits(((octave + 1023) as u64) << 52 | mantissa),
            // Below the smallest normal number; rounds as scaling does.
            _ => {
                f64::from_bits(1023 << 52 | mantissa)
                    * 2_f64.powi(-1022)
                    * 2_f64.powi((octave + 1022).max(-200) as i32)
            }
        }
    }
}

/// The index of the bucket that holds buckets `index` when `halvings` times two neighbours have become one (NH-29).
#[inline]
pub(crate) const fn merged_bucket(index: i32, halvings: u32) -> i32 {
    // Bucket i ends where it ended, so this rounds up.
    ((index as i64 + (1_i64 << halvings) - 1) >> halvings) as i32
}

const MANTISSA_BITS: u32 = 52;

/// The index at schema 8: the octave from the exponent, the place in it from the mantissa's upper bits and one comparison
/// with a bound. No arithmetic with floats, so it is exact.
#[inline]
pub(crate) fn finest_index(magnitude: f64) -> i32 {
    let mut bits = magnitude.to_bits();
    if bits >> MANTISSA_BITS == 0 {
        // Subnormal: a normal number 2^54 times as large has the same place, 54 octaves higher.
        bits = (magnitude * 18_014_398_509_481_984.0).to_bits();
        return finest_index_of_normal(bits) - 54 * 256;
    }
    if magnitude == f64::INFINITY {
        return 1024 * 256 + 1;
    }
    finest_index_of_normal(bits)
}

/// The same of the bits of a number that is neither subnormal nor infinite.
#[inline]
fn finest_index_of_normal(bits: u64) -> i32 {
    raised_finest_index(bits) as i32 - FINEST_RAISE
}

/// The same as a number of its own for each octave and sign, from 0 with the least octave; nothing is asked about the bits.
#[inline]
pub(crate) fn raised_finest_index(bits: u64) -> i64 {
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let near = NEAREST[(mantissa >> (MANTISSA_BITS - 9)) as usize & 511];
    let place = (near & 511) as i64 + i64::from(near >> 9 < mantissa);
    ((bits >> MANTISSA_BITS) << 8) as i64 + place
}

/// How much higher [`raised_finest_index`] is for positive numbers.
pub(crate) const FINEST_RAISE: i32 = 1023 << 8;

/// For each 512th of an octave, the first bound that is not below its beginning: its mantissa, and in the lowest nine bits its
/// number. At most one bound lies within, since the narrowest bucket is wider.
static NEAREST: [u64; 512] = {
    let mut table = [0; 512];
    let (mut slot, mut bound) = (0, 0);
    while slot < 512 {
        while bound < 256 && OCTAVE[bound] < (slot as u64) << (MANTISSA_BITS - 9) {
            bound += 1;
        }
        let mantissa = if bound < 256 { OCTAVE[bound] } else { 1 << MANTISSA_BITS };
        table[slot] = mantissa << 9 | bound as u64;
        slot += 1;
    }
    table
};

/// The mantissas of the bounds of schema 8 in one octave: 2^(i/256), within one unit in the last place. They are those
/// that Prometheus and its Go client compare with.
#[rustfmt::skip]
static OCTAVE: [u64; 256] = [
    0x0_0000_0000_0000, 0x0_0b1a_fa5a_bcbf, 0x0_163d_a9fb_3335, 0x0_2168_143b_0281, 0x0_2c9a_3e77_8061, 0x0_37d4_2e11_bbcc,
    0x0_4315_e86e_7f84, 0x0_4e5f_72f6_54b1, 0x0_59b0_d315_8574, 0x0_650a_0e3c_1f89, 0x0_706b_29dd_f6dd, 0x0_7bd4_2b72_a836,
    0x0_8745_1875_9bc8, 0x0_92bd_f666_07e0, 0x0_9e3e_cac6_f383, 0x0_a9c7_9b1f_3919, 0x0_b558_6cf9_890f, 0x0_c0f1_45e4_6c85,
    0x0_cc92_2b72_47f6, 0x0_d83b_2339_5dea, 0x0_e3ec_32d3_d1a2, 0x0_efa5_5fdf_a9c5, 0x0_fb66_affe_d31a, 0x1_0730_28d7_233d,
    0x1_1301_d012_5b50, 0x1_1edb_ab5e_2ab5, 0x1_2abd_c06c_31cb, 0x1_36a8_14f2_04aa, 0x1_429a_aea9_2ddf, 0x1_4e95_934f_312d,
    0x1_5a98_c8a5_8e50, 0x1_66a4_5471_c3c1, 0x1_72b8_3c7d_517b, 0x1_7ed4_8695_bbc0, 0x1_8af9_388c_8de9, 0x1_9726_5837_5d2f,
    0x1_a35b_eb6f_cb75, 0x1_af99_f813_8a1c, 0x1_bbe0_8404_5cd3, 0x1_c82f_9528_1c6b, 0x1_d487_3168_b9aa, 0x1_e0e7_5eb4_4026,
    0x1_ed50_22fc_d91c, 0x1_f9c1_8438_ce4c, 0x2_063b_8862_8cd6, 0x2_12be_3578_a819, 0x2_1f49_917d_dc95, 0x2_2bdd_a279_12d0,
    0x2_387a_6e75_6238, 0x2_451f_fb82_140a, 0x2_51ce_4fb2_a63e, 0x2_5e85_711e_ce74, 0x2_6b45_65e2_7cdd, 0x2_780e_341d_df2a,
    0x2_84df_e1f5_6380, 0x2_91ba_7591_bb6f, 0x2_9e9d_f51f_dee1, 0x2_ab8a_66d1_0f13, 0x2_b87f_d0da_d98f, 0x2_c57e_3977_1b2e,
    0x2_d285_a6e4_030b, 0x2_df96_1f64_1589, 0x2_ecaf_a93e_2f55, 0x2_f9d2_4abd_886a, 0x3_06fe_0a31_b715, 0x3_1432_edee_b2fd,
    0x3_2170_fc4c_d831, 0x3_2eb8_3ba8_ea32, 0x3_3c08_b264_16ff, 0x3_4962_66e3_fa2d, 0x3_56c5_5f92_9ff0, 0x3_6431_a2de_883a,
    0x3_71a7_373a_a9ca, 0x3_7f26_231e_7549, 0x3_8cae_6d05_d864, 0x3_9a40_1b71_40ed, 0x3_a7db_34e5_9ff6, 0x3_b57f_bfec_6cf4,
    0x3_c32d_c313_a8e3, 0x3_d0e5_44ed_e172, 0x3_dea6_4c12_3422, 0x3_ec70_df1c_5175, 0x3_fa45_04ac_801b, 0x4_0822_c367_a024,
    0x4_160a_21f7_2e2a, 0x4_23fb_2709_468a, 0x4_31f5_d950_a896, 0x4_3ffa_3f84_b9d4, 0x4_4e08_6061_892d, 0x4_5c20_42a7_d232,
    0x4_6a41_ed1d_0057, 0x4_786d_668b_3236, 0x4_86a2_b5c1_3cd0, 0x4_94e1_e192_aed2, 0x4_a32a_f0d7_d3de, 0x4_b17d_ea6d_b7d7,
    0x4_bfda_d536_2a27, 0x4_ce41_b817_c114, 0x4_dcb2_99fd_dd0d, 0x4_eb2d_81d8_abfe, 0x4_f9b2_769d_2ca7, 0x5_0841_7f45_31ef,
    0x5_16da_a2cf_6642, 0x5_257d_e83f_4eef, 0x5_342b_569d_4f81, 0x5_42e2_f4f6_ad27, 0x5_51a4_ca5d_920d, 0x5_6070_dde9_10d0,
    0x5_6f47_36b5_27da, 0x5_7e27_dbe2_c4cf, 0x5_8d12_d497_c7fc, 0x5_9c08_27ff_07cb, 0x5_ab07_dd48_5429, 0x5_ba11_fba8_7a02,
    0x5_c926_8a59_46b6, 0x5_d845_9099_8b92, 0x5_e76f_15ad_2148, 0x5_f6a3_20dc_eb71, 0x6_05e1_b976_dc08, 0x6_152a_e6cd_f6f4,
    0x6_247e_b03a_5584, 0x6_33dd_1d19_29fd, 0x6_4346_34cc_c31e, 0x6_52b9_febc_8fb5, 0x6_6238_8255_2224, 0x6_71c1_c708_33f5,
    0x6_8155_d44c_a972, 0x6_90f4_b19e_9537, 0x6_a09e_667f_3bcc, 0x6_b052_fa75_173e, 0x6_c012_750b_dabe, 0x6_cfdc_ddd4_7645,
    0x6_dfb2_3c65_1a2e, 0x6_ef92_9859_3ae4, 0x6_ff7d_f951_9482, 0x7_0f74_66f4_2e85, 0x7_1f75_e8ec_5f73, 0x7_2f82_86ea_d089,
    0x7_3f9a_48a5_8172, 0x7_4fbd_35d7_cbfc, 0x7_5feb_5642_67c8, 0x7_7024_b1ab_6e09, 0x7_8069_4fde_5d3e, 0x7_90b9_38ac_1cf5,
    0x7_a114_73eb_0186, 0x7_b17b_0976_cfda, 0x7_c1ed_0130_c131, 0x7_d26a_62ff_86ef, 0x7_e2f3_36cf_4e61, 0x7_f387_8491_c490,
    0x8_0427_543e_1a10, 0x8_14d2_add1_06d8, 0x8_2589_994c_ce11, 0x8_364c_1eb9_41f6, 0x8_471a_4623_c7ab, 0x8_57f4_179f_5b1f,
    0x8_68d9_9b44_92eb, 0x8_79ca_d931_a435, 0x8_8ac7_d98a_6697, 0x8_9bd0_a478_580d, 0x8_ace5_422a_a0db, 0x8_be05_bad6_1778,
    0x8_cf32_16b5_448b, 0x8_e06a_5e08_66d8, 0x8_f1ae_9915_7736, 0x9_02fe_d028_2c8a, 0x9_145b_0b91_ffc5, 0x9_25c3_53aa_2fe2,
    0x9_3737_b0cd_c5e4, 0x9_48b8_2b5f_98e4, 0x9_5a44_cbc8_520d, 0x9_6bdd_9a76_70b1, 0x9_7d82_9fde_4e4f, 0x9_8f33_e47a_22a2,
    0x9_a0f1_70ca_07b8, 0x9_b2bb_4d53_fe0b, 0x9_c491_82a3_f08f, 0x9_d674_194b_b8d4, 0x9_e863_19e3_2321, 0x9_fa5e_8d07_f29c,
    0xa_0c66_7b5d_e564, 0xa_1e7a_ed8e_b8bb, 0xa_309b_ec4a_2d32, 0xa_42c9_8046_0ad7, 0xa_5503_b23e_255b, 0xa_674a_8af4_6051,
    0xa_799e_1330_b356, 0xa_8bfe_53c1_2e57, 0xa_9e6b_5579_fdbe, 0xa_b0e5_2135_6eb9, 0xa_c36b_bfd3_f378, 0xa_d5ff_3a3c_2773,
    0xa_e89f_995a_d3ac, 0xa_fb4c_e622_f2fe, 0xb_0e07_298d_b663, 0xb_20ce_6c9a_8950, 0xb_33a2_b84f_15fa, 0xb_4684_15b7_49b0,
    0xb_5972_8de5_5938, 0xb_6c6e_29f1_c529, 0xb_7f76_f2fb_5e45, 0xb_928c_f227_49e2, 0xb_a5b0_30a1_0647, 0xb_b8e0_b79a_6f1d,
    0xb_cc1e_904b_c1d0, 0xb_df69_c3f3_a205, 0xb_f2c2_5bd7_1e06, 0xc_0628_6141_b33b, 0xc_199b_dd85_529a, 0xc_2d1c_d9fa_652a,
    0xc_40ab_5fff_d078, 0xc_5447_78fa_fb20, 0xc_67f1_2e57_d149, 0xc_7ba8_8988_c931, 0xc_8f6d_9406_e7b2, 0xc_a340_5751_c4d8,
    0xc_b720_dcef_9066, 0xc_cb0f_2e6d_1672, 0xc_df0b_555d_c3f6, 0xc_f315_5b5b_ab70, 0xd_072d_4a07_8979, 0xd_1b53_2b08_c966,
    0xd_2f87_080d_89ee, 0xd_43c8_eaca_a1d3, 0xd_5818_dcfb_a486, 0xd_6c76_e862_e6d2, 0xd_80e3_16c9_8396, 0xd_955d_71ff_6074,
    0xd_a9e6_03db_3284, 0xd_be7c_d63a_8313, 0xd_d321_f301_b45e, 0xd_e7d5_641c_0656, 0xd_fc97_337b_9b5d, 0xe_1167_6b19_7d16,
    0xe_2646_14f5_a126, 0xe_3b33_3b16_ee0f, 0xe_502e_e78b_3ff5, 0xe_6539_2467_6d75, 0xe_7a51_fbc7_4c81, 0xe_8f79_77cd_b73e,
    0xe_a4af_a2a4_90d8, 0xe_b9f4_867c_ca6d, 0xe_cf48_2d8e_67ee, 0xe_e4aa_a218_850e, 0xe_fa1b_ee61_5a26, 0xf_0f9c_1cb6_4129,
    0xf_252b_376b_ba95, 0xf_3ac9_48dd_7272, 0xf_5076_5b6e_453e, 0xf_6632_7988_44f6, 0xf_7bfd_ad9c_be10, 0xf_91d8_0224_3c86,
    0xf_a7c1_819e_90d6, 0xf_bdba_3692_d512, 0xf_d3c2_2b8f_71ee, 0xf_e9d9_6b2a_23d6,
];

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0)
    }
}
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A run of neighbouring buckets: how far after the last run it begins, and how long it is.
///
/// The first span's offset is the index of its first bucket; later offsets count the buckets left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out before it, or for the first span the index it begins at.
    pub offset: i32,
    /// How many buckets it has.
    pub length: u32,
}

/// The counts of the buckets in the spans, one each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Counts<'a> {
    /// Whole numbers, as counted.
    Integer(&'a [u64]),
    /// Results of arithmetic.
    Float(&'a [f64]),
}

impl Counts<'_> {
    /// How many counts there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Integer(counts) => counts.len(),
            Self::Float(counts) => counts.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The count at a place.
    #[inline]
    pub fn get(&self, at: usize) -> Option<Number> {
        match self {
            Self::Integer(counts) => counts.get(at).map(|&c| Number::Unsigned(c)),
            Self::Float(counts) => counts.get(at).map(|&c| Number::Float(c)),
        }
    }
}

impl Default for Counts<'_> {
    fn default() -> Self {
        Self::Integer(&[])
    }
}

/// The buckets on one side of zero, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SideRef<'a> {
    /// Where there are buckets.
    pub spans: &'a [Span],
    /// Their counts.
    pub counts: Counts<'a>,
}

impl<'a> SideRef<'a> {
    /// Index and count of every bucket in the spans. Stops where an index leaves the range of `i32` or the
    /// counts run out, so hostile spans cost nothing.
    pub fn buckets(self) -> impl Iterator<Item = (i32, Number)> + 'a {
        let mut start = 0_i32;
        let mut at = 0_usize;
        self.spans
            .iter()
            .map_while(move |span| {
                let first = start.checked_add(span.offset)?;
                let after = first.checked_add(i32::try_from(span.length).ok()?)?;
                start = after;
                Some(first..after)
            })
            .flatten()
            .map_while(move |index| {
                let count = self.counts.get(at)?;
                at += 1;
                Some((index, count))
            })
    }
}

/// Native buckets, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeBucketsRef<'a> {
    /// The resolution.
    pub schema: Schema,
    /// Values up to this far from zero are counted in the zero bucket; not negative.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: Number,
    /// Buckets above zero.
    pub positive: SideRef<'a>,
    /// Buckets below zero, by the distance from it.
    pub negative: SideRef<'a>,
    /// The upper bounds of schema [`Schema::CUSTOM`], rising; empty for the exponential ones.
    pub custom_bounds: &'a [f64],
}

impl NativeBucketsRef<'_> {
    /// An owned copy.
    pub fn to_owned(&self) -> NativeBuckets {
        NativeBuckets {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            positive: self.positive.into(),
            negative: self.negative.into(),
            custom_bounds: self.custom_bounds.to_vec(),
        }
    }
}

/// Counts, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum CountsBuf {
    /// Whole numbers, as counted.
    Integer(Vec<u64>),
    /// Results of arithmetic.
    Float(Vec<f64>),
}

impl Default for CountsBuf {
    fn default() -> Self {
        Self::Integer(Vec::new())
    }
}

/// The buckets on one side of zero, owned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Where there are buckets.
    pub spans: Vec<Span>,
    /// Their counts.
    pub counts: CountsBuf,
}

impl Side {
    /// The borrowed form.
    pub fn borrow(&self) -> SideRef<'_> {
        let counts = match &self.counts {
            CountsBuf::Integer(counts) => Counts::Integer(counts),
            CountsBuf::Float(counts) => Counts::Float(counts),
        };
        SideRef { spans: &self.spans, counts }
    }
}

impl From<SideRef<'_>> for Side {
    fn from(side: SideRef<'_>) -> Self {
        let counts = match side.counts {
            Counts::Integer(counts) => CountsBuf::Integer(counts.to_vec()),
            Counts::Float(counts) => CountsBuf::Float(counts.to_vec()),
        };
        Self { spans: side.spans.to_vec(), counts }
    }
}

/// Native buckets, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeBuckets {
    /// The resolution.
    pub schema: Schema,
    /// Values up to this far from zero are counted in the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: Number,
    /// Buckets above zero.
    pub positive: Side,
    /// Buckets below zero.
    pub negative: Side,
    /// The upper bounds of schema [`Schema::CUSTOM`].
    pub custom_bounds: Vec<f64>,
}

impl NativeBuckets {
    /// The borrowed form.
    pub fn borrow(&self) -> NativeBucketsRef<'_> {
        NativeBucketsRef {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            positive: self.positive.borrow(),
            negative: self.negative.borrow(),
            custom_bounds: &self.custom_bounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// The definition, word for word: the first bound, in rising order, that the value is not above. Bounds are those
    /// of the table, multiplied as floats.
    fn index_by_search(schema: i32, value: f64) -> i32 {
        let step = 256 >> schema.max(0);
        let bounds: Vec<f64> = OCTAVE.iter().step_by(step).map(|m| f64::from_bits(1022 << 52 | m)).collect();
        search(&bounds, schema, value)
    }

    fn search(bounds: &[f64], schema: i32, value: f64) -> i32 {
        if value == f64::INFINITY {
            return search(bounds, schema, f64::MAX) + 1;
        }
        // Fraction in [0.5, 1) and exponent.
        let mut exponent = 0;
        let mut fraction = value;
        while fraction >= 2_f64.powi(64) {
            fraction /= 2_f64.powi(64);
            exponent += 64;
        }
        while fraction < 2_f64.powi(-64) {
            fraction *= 2_f64.powi(64);
            exponent -= 64;
        }
        while fraction >= 1.0 {
            fraction /= 2.0;
            exponent += 1;
        }
        while fraction < 0.5 {
            fraction *= 2.0;
            exponent -= 1;
        }
        if schema > 0 {
            let place = bounds.partition_point(|&bound| bound < fraction);
            return place as i32 + (exponent - 1) * bounds.len() as i32;
        }
        let octave = if fraction == 0.5 { exponent - 1 } else { exponent };
        (octave + (1 << -schema) - 1) >> -schema
    }

    fn neighbours(value: f64) -> [f64; 3] {
        let bits = value.to_bits();
        [bits - 1, bits, bits + 1].map(f64::from_bits)
    }

    #[test]
    fn bounds_are_powers_of_two_to_the_last_place() {
        // The 256th power by squaring exact fractions would be the proof; eight square roots of two come close enough
        // to show an error of more than one unit, since each rounds by half a unit.
        for (i, &mantissa) in OCTAVE.iter().enumerate() {
            let exact = (i as f64 / 256.0).exp2();
            let bound = f64::from_bits(1023 << 52 | mantissa);
            assert!((bound - exact).abs() <= 4.0 * f64::EPSILON, "{i}: {bound} and {exact}");
        }
        assert!(OCTAVE.is_sorted());
    }

    #[test]
    fn indexes_are_exact_at_every_boundary_of_every_schema() {
        for number in -4..=8 {
            let schema = Schema::exponential(number).unwrap();
            let last = schema.index_of(f64::MAX);
            let first = schema.index_of(f64::from_bits(1));
            let step = 256 >> number.max(0);
            let bounds: Vec<f64> =
                OCTAVE.iter().step_by(step).map(|m| f64::from_bits(1022 << 52 | m)).collect();
            // All octaves of the coarse schemas, every 37th of the fine ones: they differ in nothing but the exponent.
            let is_tested = |index: i32| number < 4 || (index >> number) % 37 == 0;
            for index in (first..=last).filter(|&index| is_tested(index)) {
                let bound = schema.upper_bound(index);
                if bound < f64::MIN_POSITIVE || bound == f64::MAX {
                    continue; // below, bounds are rounded and can coincide
                }
                for value in neighbours(bound) {
                    assert_eq!(schema.index_of(value), search(&bounds, number, value), "{schema} {value:e}");
                }
                assert_eq!(schema.index_of(bound), index);
            }
            assert_eq!(schema.index_of(f64::INFINITY), last + 1);
            assert_eq!((schema.upper_bound(last), schema.upper_bound(last + 1)), (f64::MAX, f64::INFINITY));
            for shift in 0..52 {
                for value in neighbours(f64::from_bits(2 << shift)) {
                    assert_eq!(schema.index_of(value), search(&bounds, number, value), "{schema} {value:e}");
                }
            }
        }
    }

    #[test]
    fn schemas_for_factors() {
        for (factor, schema) in
            [(65_536.0, -4), (1e9, -4), (4.0, -1), (2.0, 0), (1.5, 1), (1.1, 3), (1.01, 7), (1.0001, 8)]
        {
            assert_eq!(Schema::for_factor(factor).map(Schema::number), Some(schema), "{factor}");
        }
        assert_eq!([1.0, 0.5, f64::NAN].map(Schema::for_factor), [None; 3]);
    }

    quickcheck! {
        fn indexes_agree_with_the_search_anywhere(bits: u64, schema: u8) -> bool {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            let schema = i32::from(schema % 13) - 4;
            value.is_nan() || value == 0.0
                || Schema::exponential(schema).unwrap().index_of(value) == index_by_search(schema, value)
        }

        fn merging_neighbours_is_the_coarser_schema(bits: u64, halvings: u8) -> bool {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            let halvings = i32::from(halvings % 13);
            value.is_nan() || value == 0.0 || {
                let [fine, coarse] = [8, 8 - halvings].map(|s| Schema::exponential(s).unwrap().index_of(value));
                // Infinity's own bucket stays behind the last one, where merging would put it into the same.
                value == f64::INFINITY && coarse == merged_bucket(1024 * 256, halvings as u32) + 1
                    || merged_bucket(fine, halvings as u32) == coarse
            }
        }
    }

    #[test]
    fn spans_say_where_the_buckets_are() {
        let spans = [Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }];
        let side = SideRef { spans: &spans, counts: Counts::Integer(&[1, 2, 3]) };
        let found: Vec<_> = side.buckets().map(|(i, n)| (i, n.as_f64())).collect();
        assert_eq!(found, [(-2, 1.0), (-1, 2.0), (3, 3.0)]);
    }

    #[test]
    fn hostile_spans_end() {
        let spans = [Span { offset: 0, length: u32::MAX }, Span { offset: i32::MAX, length: 5 }];
        let side = SideRef { spans: &spans, counts: Counts::Integer(&[1]) };
        assert_eq!(side.buckets().count(), 0);
        let spans = [Span { offset: 0, length: 2_000_000_000 }];
        assert_eq!(SideRef { spans: &spans, counts: Counts::Integer(&[1]) }.buckets().count(), 1);
    }

    #[test]
    fn schemas() {
        assert_eq!(Schema::from_number(-53).unwrap(), Schema::CUSTOM);
        assert!(Schema::from_number(9).is_err());
        assert_eq!(Schema::from_number(-5).unwrap_err().rule(), Some("NH-01"));
    }
}
