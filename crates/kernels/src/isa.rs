use std::sync::OnceLock;

/// The instructions that a product or loop is compiled for. Every function of this crate exists for all of them; which
/// one runs is chosen when the program runs, so one binary serves every processor. A value can only be had for what this
/// processor has.
///
/// Results are equal to the last bit everywhere, but for products in bf16, which processors sum differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub(crate) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the compiler makes of plain Rust: any processor.
    Plain,
    /// x86-64 with AVX2, FMA and F16C (2013 and later).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI (Cascade Lake, Zen 4 and later).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same with bf16 products (Cooper Lake, Zen 4 and later).
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

impl Isa {
    /// The best this processor has. Found once, so it may be asked for often.
    pub fn detect() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        // `available` is never empty: it begins with plain code.
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(Self(Kind::Plain)))
    }

    /// All that this processor has, worst first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut kinds = vec![Kind::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma") && has!("f16c");
            let avx512 = avx2
                && has!("avx512f")
                && has!("avx512bw")
                && has!("avx512dq")
                && has!("avx512vl")
                && has!("avx512vnni");
            let steps = [
                (avx2, Kind::Avx2),
                (avx512, Kind::Avx512),
                (avx512 && has!("avx512bf16"), Kind::Avx512Bf16),
            ];
            kinds.extend(steps.into_iter().filter(|(has, _)| *has).map(|(_, kind)| kind));
        }
        kinds.into_iter().map(Self).collect()
    }

    /// Name for people and reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => "avx512-vnni-bf16",
        }
    }
}

/// Compiles the body of a function once for each [`Isa`] and lets the first argument choose. The body may call other
/// functions only if they are `#[inline(always)]`.
macro_rules! for_each_isa {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $visibility fn $name(isa: $crate::Isa, $($argument: $kind),*) $(-> $output)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($argument: $kind),*) $(-> $output)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($argument: $kind),*) $(-> $output)? { body($($argument),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($argument: $kind),*) $(-> $output)? { body($($argument),*) }
                use $crate::isa::Kind;
                match isa.0 {
                    // SAFETY: an `Isa` is only had for what this processor has.
                    Kind::Avx512 | Kind::Avx512Bf16 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    Kind::Avx2 => return unsafe { avx2($($argument),*) },
                    Kind::Plain => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            body($($argument),*)
        }
    };
}
pub(crate) use for_each_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_code_comes_first_and_the_best_last() {
        let available = Isa::available();
        let names: Vec<&str> = available.iter().map(|isa| isa.name()).collect();
        println!("{}", names.join(", "));
        assert_eq!(names[0], "plain");
        assert_eq!(available.last(), Some(&Isa::detect()));
        assert_eq!(Isa::detect(), Isa::detect());
    }
}
