//! Date (RFC 3261 20.17): RFC 1123 form in GMT, to and from seconds since 1970.

use super::value::{Part, See, Value, ValueErrorKind};
use crate::wire::scan::{Class, Cursor};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// A point of time from the year 0 to 9999, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Seconds since 1970-01-01 00:00:00 GMT, leap seconds not counted.
    pub unix: i64,
}

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAY: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day ends one.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year.wrapping_sub(1) } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * DAYS_IN_400_YEARS + days - EPOCH
}

const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day = days.rem_euclid(DAYS_IN_400_YEARS);
    let of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = era * 400 + of_era + (month <= 2) as i64;
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

impl Date {
    /// The first second of the year 0.
    pub const MIN: Self = Self { unix: days_from_civil(0, 1, 1) * DAY };
    /// The last second of the year 9999.
    pub const MAX: Self = Self { unix: days_from_civil(10_000, 1, 1) * DAY - 1 };
}

fn name(c: &mut Cursor<'_>, names: &[&[u8; 3]]) -> Result<i64, ValueErrorKind> {
    let start = c.at;
    let word = c.token().map(|t| c.text(t)).unwrap_or_default();
    // RFC 3261 7.3.1: case is not minded where the grammar does not say so.
    let found = names.iter().position(|n| n.as_slice().eq_ignore_ascii_case(word));
    if found.is_none() {
        c.at = start;
    }
    found.and_then(|i| i64::try_from(i).ok()).ok_or(ValueErrorKind::Date)
}

fn digits(c: &mut Cursor<'_>, width: u16) -> Result<i64, ValueErrorKind> {
    let start = c.at;
    let run = c.run(Class::DIGIT);
    if run.len != width {
        c.at = start;
        return Err(ValueErrorKind::Date);
    }
    let digit = |n: i64, &b: &u8| n.wrapping_mul(10).wrapping_add(i64::from(b.wrapping_sub(b'0')));
    Ok(c.text(run).iter().fold(0, digit))
}

fn space(c: &mut Cursor<'_>) -> Result<(), ValueErrorKind> {
    let before = c.at;
    c.ws();
    if c.at == before { Err(ValueErrorKind::Date) } else { Ok(()) }
}

fn colon(c: &mut Cursor<'_>) -> Result<(), ValueErrorKind> {
    if c.eat(b':') { Ok(()) } else { Err(ValueErrorKind::Date) }
}

impl Value for Date {
    const CLAUSE: &'static str = "RFC 3261 20.17";

    /// The day of the week must be one, but need not be the right one; a 60th second is taken as
    /// the next minute's first.
    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        name(c, &DAYS)?;
        if !c.eat(b',') {
            return Err(ValueErrorKind::Date);
        }
        space(c)?;
        let day = digits(c, 2)?;
        space(c)?;
        let month = name(c, &MONTHS)?;
        space(c)?;
        let year = digits(c, 4)?;
        space(c)?;
        let hour = digits(c, 2)?;
        colon(c)?;
        let minute = digits(c, 2)?;
        colon(c)?;
        let second = digits(c, 2)?;
        space(c)?;
        let start = c.at;
        // RFC 3261 20.17: GMT only.
        if c.token().is_none_or(|zone| c.text(zone) != b"GMT") {
            c.at = start;
            return Err(ValueErrorKind::Date);
        }
        let leap_day = i64::from(month == 1 && is_leap(year));
        let length = usize::try_from(month).ok().and_then(|m| LENGTHS.get(m)).copied();
        let last = length.unwrap_or(0).wrapping_add(leap_day);
        if day < 1 || day > last || hour > 23 || minute > 59 || second > 60 {
            return Err(ValueErrorKind::Date);
        }
        let days = days_from_civil(year, month.wrapping_add(1), day);
        let time = hour.wrapping_mul(60).wrapping_add(minute).wrapping_mul(60).wrapping_add(second);
        Ok(Self { unix: days.wrapping_mul(DAY).wrapping_add(time) })
    }

    /// A date before the year 0 or after 9999 is written as the nearest that can be.
    fn write(&self, _: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        let date = (*self).clamp(Self::MIN, Self::MAX);
        let days = date.unix.div_euclid(DAY);
        let time = date.unix.rem_euclid(DAY);
        let (year, month, day) = civil_from_days(days);
        let weekday = usize::try_from(days.rem_euclid(7)).ok().and_then(|d| DAYS.get(d));
        let month = month.checked_sub(1).and_then(|m| usize::try_from(m).ok());
        let month = month.and_then(|m| MONTHS.get(m));
        let small = |n: i64| u32::try_from(n).unwrap_or(0);
        let two = |n: i64| (small(n), 2);
        out.whole(|w| {
            w.put(weekday.copied().unwrap_or(b"Thu"))?;
            let fields = [
                (&b", "[..], two(day)),
                (b" ", (0, 0)),
                (b" ", (small(year), 4)),
                (b" ", two(time / 3_600)),
                (b":", two(time / 60 % 60)),
                (b":", two(time % 60)),
            ];
            for (before, (value, width)) in fields {
                w.put(before)?;
                match width {
                    0 => w.put(month.copied().unwrap_or(b"Jan"))?,
                    width => w.digits(value, width)?,
                }
            }
            w.put(b" GMT")
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        if let Ok(unix) = u64::try_from(self.unix) {
            see("unix", Part::Number(unix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;
    use crate::wire::write::Writer;
    use proptest::prelude::*;
    use std::string::String;

    fn read(text: &str) -> Option<i64> {
        Date::parse_all(text.as_bytes()).ok().map(|d| d.unix)
    }

    fn written(unix: i64) -> String {
        let mut buffer = [0; 40];
        let mut w = Writer::new(&mut buffer);
        Date { unix }.write(b"", &mut w.value(Name::Date)).unwrap();
        String::from_utf8(w.written().to_vec()).unwrap()
    }

    #[test]
    fn known_dates() {
        for (text, unix) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
            ("Thu, 21 Feb 2002 13:02:03 GMT", 1_014_296_523),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Tue, 19 Jan 2038 03:14:08 GMT", 2_147_483_648),
        ] {
            assert_eq!(read(text), Some(unix), "{text}");
            assert_eq!(written(unix), text);
        }
        assert_eq!(written(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(written(i64::MIN), "Sat, 01 Jan 0000 00:00:00 GMT");
        assert_eq!(read("sat, 13 nov 2010 23:29:60 GMT"), Some(1_289_691_000 - 60 + 60));
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 01 Jan 2010 16:00:00 gmt",
            "Fri, 01 Jan 2010 16:00:00 +0000",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Friday, 01-Jan-10 16:00:00 GMT",
            "Fri Jan  1 16:00:00 2010",
            "Fri, 29 Feb 2001 00:00:00 GMT",
            "Fri, 29 Feb 1900 00:00:00 GMT",
            "Fri, 31 Apr 2001 00:00:00 GMT",
            "Fri, 00 Apr 2001 00:00:00 GMT",
            "Fri, 01 Foo 2001 00:00:00 GMT",
            "Xxx, 01 Jan 2001 00:00:00 GMT",
            "Fri, 01 Jan 2001 24:00:00 GMT",
            "Fri, 01 Jan 2001 00:60:00 GMT",
            "Fri, 01 Jan 2001 00:00:61 GMT",
            "Fri, 01 Jan 20010 00:00:00 GMT",
            "Fri, 01 Jan 2001 00:00:00 GMTx",
            "Fri, 01 Jan 2001 00:00:00 GMT x",
            "Fri,01 Jan 2001 00:00:00 GMT",
            "Fri, 01 Jan 2001 00:00:00",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_second_is_written_and_read_the_same(unix in Date::MIN.unix..=Date::MAX.unix) {
            prop_assert_eq!(read(&written(unix)), Some(unix));
        }
    }
}
