//! What is counted, and amounts of it.

/// What is counted. The numbers are those of the contract and of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Meter {
    /// Tokens of language models.
    Tokens = 1,
    /// Calls.
    Requests = 2,
    /// Money in micros.
    Money = 3,
}

impl Meter {
    /// All meters, by number.
    pub(crate) const ALL: [Self; 3] = [Self::Tokens, Self::Requests, Self::Money];

    /// The meter with this number.
    #[must_use]
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.number() == number)
    }

    /// Its number.
    #[must_use]
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// Its name, as programs read it in the details of a refusal.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::Money => "money",
        }
    }

    /// Its unit, as people read it.
    #[must_use]
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::Money => "micros of money",
        }
    }

    fn index(self) -> usize {
        self as usize - 1
    }
}

/// The most that one call may reserve or commit of one meter. A period's sum stays far from overflowing:
/// it would take nine million such calls.
pub(crate) const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// An amount of each meter, 0 where none was named; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts([i64; Meter::ALL.len()]);

impl Amounts {
    /// Nothing of any meter.
    pub(crate) const NONE: Self = Self([0; Meter::ALL.len()]);

    /// This amount of each meter that is named.
    #[must_use]
    pub(crate) fn of(named: &[(Meter, i64)]) -> Self {
        let mut amounts = Self::NONE;
        for (meter, amount) in named {
            amounts.0[meter.index()] = (*amount).max(0);
        }
        amounts
    }

    /// How much of `meter`.
    #[must_use]
    pub(crate) fn get(&self, meter: Meter) -> i64 {
        self.0[meter.index()]
    }

    /// Both together.
    #[must_use]
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index].saturating_add(other.0[index])))
    }

    /// Whether there is nothing of any meter.
    #[must_use]
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The meters of which there is something, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Meter, i64)> + '_ {
        Meter::ALL.into_iter().map(|meter| (meter, self.get(meter))).filter(|(_, amount)| *amount > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_are_found_by_their_numbers() {
        for meter in Meter::ALL {
            assert_eq!(Meter::from_number(meter.number()), Some(meter));
        }
        assert_eq!(Meter::from_number(0), None);
    }

    #[test]
    fn amounts_add_up_meter_by_meter() {
        let some = Amounts::of(&[(Meter::Tokens, 5), (Meter::Money, 7)]);
        let sum = some.plus(&Amounts::of(&[(Meter::Tokens, 1), (Meter::Requests, 2)]));
        assert_eq!(
            sum.iter().collect::<Vec<_>>(),
            [(Meter::Tokens, 6), (Meter::Requests, 2), (Meter::Money, 7)]
        );
        assert!(Amounts::of(&[(Meter::Tokens, 0)]).is_none());
    }
}
