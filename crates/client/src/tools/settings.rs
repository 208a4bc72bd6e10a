//! One property of a client, as Kafka's `ConfigDef` reads it.

use super::Thrown;
use alloc::format;

/// A property and its value.
pub(super) struct Setting<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl Setting<'_> {
    /// The refusal of the value.
    pub(super) fn bad(&self, why: &str) -> Thrown {
        let Setting { name, value } = self;
        Thrown::config(&format!(
            "Invalid value {value} for configuration {name}: {why}"
        ))
    }

    fn number(&self, least: i64, most: i64, kind: &str) -> Result<i64, Thrown> {
        let number = self.value.trim().parse::<i64>().ok();
        let number = number.filter(|&n| (-most - 1..=most).contains(&n));
        let number = number.ok_or_else(|| self.bad(&format!("Not a number of type {kind}")))?;
        match number < least {
            true => Err(self.bad(&format!("Value must be at least {least}"))),
            false => Ok(number),
        }
    }

    /// A 32-bit number, not below `least`; what is below zero becomes 0.
    pub(super) fn int(&self, least: i64) -> Result<u32, Thrown> {
        let number = self.number(least, i64::from(i32::MAX), "INT")?;
        Ok(u32::try_from(number).unwrap_or_default())
    }

    /// A 64-bit number, not below `least`.
    pub(super) fn long(&self, least: i64) -> Result<u64, Thrown> {
        let number = self.number(least, i64::MAX, "LONG")?;
        Ok(u64::try_from(number).unwrap_or_default())
    }

    /// The same, at most as large as 32 bits hold.
    pub(super) fn long32(&self, least: i64) -> Result<u32, Thrown> {
        Ok(u32::try_from(self.long(least)?).unwrap_or(u32::MAX))
    }

    /// A truth value.
    pub(super) fn boolean(&self) -> Result<bool, Thrown> {
        match self.value.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.bad("Expected value to be either true or false")),
        }
    }
}
