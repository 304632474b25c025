//! Draws endpoints at random, each as often as its weight and its slow start say.

use std::sync::Arc;

use super::PickArgs;
use crate::{
    endpoint::Endpoint,
    random::{Random, scale},
};

/// How often an endpoint is drawn anew because it is the one already drawn or is starting slowly.
/// With the least ramp of one tenth, 16 draws in a row refuse it in 18 % of the cases only.
const DRAWS_MAX: usize = 16;

/// Random draws for one set of endpoints.
#[derive(Debug)]
pub(super) struct Sampler {
    random: Random,
    count: usize,
    /// Walker's alias table (Vose 1991): a draw costs the same for any weights.
    /// Empty when all weights are equal.
    aliases: Vec<Alias>,
}

/// One column of the table: below `threshold` of 2^32 it stands for its own endpoint, else for `other`.
#[derive(Clone, Copy, Debug)]
struct Alias {
    threshold: u64,
    other: u32,
}

impl Sampler {
    pub(super) fn new(endpoints: &[Arc<Endpoint>], random: Random) -> Self {
        let weights: Vec<_> = endpoints.iter().map(|endpoint| f64::from(endpoint.weight())).collect();
        let is_even = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let aliases = if is_even { Vec::new() } else { aliases(&weights) };
        Self { random, count: endpoints.len(), aliases }
    }

    /// Two different endpoints, or the same twice when there is one; `None` when there is none.
    pub(super) fn pair(&self, args: &PickArgs<'_>) -> Option<(usize, usize)> {
        if self.count < 2 {
            return (self.count == 1).then_some((0, 0));
        }
        if self.aliases.is_empty() {
            let bits = self.random.next();
            let first = scale((bits >> 32) as u32, self.count);
            let step = 1 + scale(bits as u32, self.count - 1);
            let second = if first + step < self.count { first + step } else { first + step - self.count };
            if self.is_admitted(args, first) && self.is_admitted(args, second) {
                return Some((first, second));
            }
        }
        let first = self.draw(args, None);
        Some((first, self.draw(args, Some(first))))
    }

    /// One endpoint, another than `not` if there is one. The set is not empty.
    pub(super) fn draw(&self, args: &PickArgs<'_>, not: Option<usize>) -> usize {
        let mut index = 0;
        for _ in 0..DRAWS_MAX {
            index = self.weighted();
            if Some(index) != not && self.is_admitted(args, index) {
                return index;
            }
        }
        if Some(index) == not { (index + 1) % self.count } else { index }
    }

    fn weighted(&self) -> usize {
        let bits = self.random.next();
        let index = scale((bits >> 32) as u32, self.count);
        match self.aliases.get(index) {
            Some(alias) if (bits & 0xffff_ffff) >= alias.threshold => alias.other as usize,
            _ => index,
        }
    }

    fn is_admitted(&self, args: &PickArgs<'_>, index: usize) -> bool {
        is_admitted(args, index, &self.random)
    }
}

/// Lets an endpoint in slow start have that share of its draws that its ramp says.
pub(super) fn is_admitted(args: &PickArgs<'_>, index: usize, random: &Random) -> bool {
    let ramp = args.endpoints.get(index).map_or(1.0, |endpoint| endpoint.ramp(args.now));
    ramp >= 1.0 || random.fraction() < ramp
}

fn aliases(weights: &[f64]) -> Vec<Alias> {
    const FULL: f64 = (1_u64 << 32) as f64;
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    let mut shares: Vec<_> = weights.iter().map(|weight| weight / mean).collect();
    let mut table = vec![Alias { threshold: 1 << 32, other: 0 }; weights.len()];
    let (mut under, mut over): (Vec<_>, Vec<_>) = (0..weights.len()).partition(|&index| shares[index] < 1.0);
    // Each column that is not full is filled up by one that has too much; what rounding leaves is full.
    while let (Some(poor), Some(&rich)) = (under.pop(), over.last()) {
        table[poor] = Alias { threshold: (shares[poor] * FULL) as u64, other: rich as u32 };
        shares[rich] -= 1.0 - shares[poor];
        if shares[rich] < 1.0 {
            over.pop();
            under.push(rich);
        }
    }
    table
}
