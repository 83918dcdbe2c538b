/// Numbers from here on are milliseconds since 1970, smaller ones seconds: the year 5138 in seconds, 1973 in
/// milliseconds.
const MILLISECONDS_FROM: f64 = 1e11;

/// A point in time in milliseconds since 1970 in UTC, read from a date, with or without a time of day:
///
/// * year, month and day with `-`, `/`, `.` or `年月日` between them, or eight digits;
/// * after `T` or a space hours and minutes, seconds and a fraction if any;
/// * `Z` or an offset (`+08:00`, `+0800`, `+08`); without one the time counts as UTC.
///
/// `None` for everything else, days that no month has included.
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        let part = |range: std::ops::Range<usize>| text[range].parse().ok();
        return Some(days(part(0..4)?, part(4..6)?, part(6..8)?)? * 86_400_000);
    }
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    let separator = rest.one_of(&['-', '/', '.', '年'])?;
    let month = rest.digits(1, 2)?;
    rest.one_of(&[if separator == '年' { '月' } else { separator }])?;
    let day = rest.digits(1, 2)?;
    if separator == '年' {
        rest.one_of(&['日', '号']);
    }
    let midnight = days(year, month, day)? * 86_400_000;
    if rest.0.is_empty() {
        return Some(midnight);
    }
    rest.one_of(&['T', 't', ' '])?;
    rest.0 = rest.0.trim_start();
    let time = rest.time_of_day()?;
    let offset = rest.offset()?;
    rest.0.is_empty().then_some(midnight + time - offset)
}

/// The point in time that a number means: seconds since 1970, or milliseconds from 1e11 on.
pub(super) fn milliseconds_of_number(number: f64) -> Option<i64> {
    let milliseconds = if number.abs() < MILLISECONDS_FROM { number * 1e3 } else { number };
    (milliseconds.abs() < i64::MAX as f64).then_some(milliseconds as i64)
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// The number of the digits at the beginning, of which there are `least` to `most`.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if !(least..=most).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    /// Passes one of `characters` at the beginning.
    fn one_of(&mut self, characters: &[char]) -> Option<char> {
        let c = self.0.chars().next().filter(|c| characters.contains(c))?;
        self.0 = &self.0[c.len_utf8()..];
        Some(c)
    }

    /// `08:00`, `08:00:05` or `08:00:05.25`, in milliseconds. A leap second counts as the next one.
    fn time_of_day(&mut self) -> Option<i64> {
        let hours = self.digits(1, 2).filter(|hours| *hours < 24)?;
        self.one_of(&[':'])?;
        let minutes = self.digits(2, 2).filter(|minutes| *minutes < 60)?;
        let mut milliseconds = 0;
        if self.one_of(&[':']).is_some() {
            milliseconds = self.digits(2, 2).filter(|seconds| *seconds <= 60)? * 1_000;
            if self.one_of(&['.', ',']).is_some() {
                let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, rest) = self.0.split_at(count);
                self.0 = rest;
                let first = format!("{:0<3}", &digits[..count.min(3)]);
                milliseconds += first.parse::<i64>().ok().filter(|_| count > 0)?;
            }
        }
        Some((hours * 60 + minutes) * 60_000 + milliseconds)
    }

    /// How much the local time is ahead of UTC, in milliseconds; 0 if nothing is left.
    fn offset(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start();
        if self.0.is_empty() || self.one_of(&['Z', 'z']).is_some() {
            return Some(0);
        }
        let sign = if self.one_of(&['+', '-'])? == '-' { -1 } else { 1 };
        let digits: String = self.0.chars().filter(|c| *c != ':').collect();
        self.0 = "";
        let mut digits = Rest(&digits);
        let (hours, minutes) = match digits.0.len() {
            2 => (digits.digits(2, 2)?, 0),
            4 => {
                let both = digits.digits(4, 4)?;
                (both / 100, both % 100)
            }
            _ => return None,
        };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, years 0 to 9999; `None` if there is no such day.
/// Counted in years that begin in March, as in H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_without_gaps() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 3, 1), Some(11_017));
        let mut expected = days(1896, 1, 1).unwrap();
        for year in 1896..=2104 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(found) = days(year, month, day) {
                        assert_eq!(found, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, days(2105, 1, 1).unwrap());
        assert_eq!(
            (days(2023, 2, 29), days(2023, 13, 1), days(2023, 0, 1), days(2023, 4, 31)),
            (None, None, None, None)
        );
    }

    #[test]
    fn forms_of_the_same_time() {
        let noon = 1_478_952_000_000;
        for text in [
            "2016-11-12T12:00:00Z",
            "2016-11-12 20:00:00+08:00",
            "2016/11/12 12:00",
            "2016-11-12t07:30:00.000-0430",
            "2016年11月12日 20:00 +08",
        ] {
            assert_eq!(milliseconds(text), Some(noon), "{text}");
        }
        assert_eq!(milliseconds("2016-11-12T12:00:00.0259Z"), Some(noon + 25));
        let midnight = Some(noon - 43_200_000);
        for text in ["2016/11/12", "2016-11-12", "2016.11.12", "20161112", " 2016年11月12日 "] {
            assert_eq!(milliseconds(text), midnight, "{text}");
        }
        assert_eq!(milliseconds_of_number(1_478_952_000.0), Some(noon));
        assert_eq!(milliseconds_of_number(1_478_952_000_000.0), Some(noon));
        assert_eq!(milliseconds_of_number(f64::INFINITY), None);
        assert_eq!(milliseconds_of_number(f64::NAN), None);
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2016",
            "2016-11",
            "2016-11/12",
            "2016-13-01",
            "2016-02-30",
            "20161301",
            "12/11/2016",
            "2016-11-12x",
            "2016-11-12T",
            "2016-11-12T25:00",
            "2016-11-12T12:00+8",
            "2016-11-12T12:00:00.Z",
            "2016-11-12T12:00+08:00x",
            "50ml",
            "１２",
            "2016-11-12 12:60",
            "+2016-11-12",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
