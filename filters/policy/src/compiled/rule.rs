//! Compiled rules: all of these parts, in each any of these items, in each all of these conditions.
//!
//! They lie in flat lists: ten thousand rules are five allocations, and trying one touches a few neighbouring bytes.

/// A range of one of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// What `add` appends to `list`.
    fn of<T>(list: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Self {
        let start = small(list.len());
        list.extend(items);
        Self { start, end: small(list.len()) }
    }

    /// What was appended to `list` since the span before.
    fn since<T>(before: Option<&Self>, list: &[T]) -> Self {
        Self { start: before.map_or(0, |before| before.end), end: small(list.len()) }
    }

    fn get<T>(self, list: &[T]) -> &[T] {
        let range = usize::try_from(self.start).ok().zip(usize::try_from(self.end).ok());
        range.and_then(|(start, end)| list.get(start..end)).unwrap_or_default()
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledRule {
    all_of: Span,
    /// Which policy, by its place among them.
    pub(crate) policy: u32,
    /// Its place in that policy.
    pub(crate) index: u32,
}

/// One field with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) dimension: u16,
    pub(crate) negated: bool,
    pub(crate) values: Values,
}

/// The numbers of the patterns of which one must be hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    One(u32),
    Few(Span),
    /// A long list, by its number: its outcome is remembered for the request.
    Many(u32),
}

/// Lists of values up to this length are looked through each time.
const FEW: usize = 8;

/// All rules, in the order of Envoy's policy ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<CompiledRule>,
    parts: Vec<Span>,
    items: Vec<Span>,
    conditions: Vec<Condition>,
    values: Vec<u32>,
    /// Long lists by their numbers.
    many: Vec<Span>,
}

impl Rules {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// How many different long lists of values there are.
    pub(crate) fn long_lists(&self) -> usize {
        self.many.len()
    }

    /// A rule by its number.
    pub(crate) fn get(&self, number: u32) -> Option<&CompiledRule> {
        self.rules.get(usize::try_from(number).ok()?)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CompiledRule> {
        self.rules.iter()
    }

    /// The parts of a rule, each by its items, each by its conditions.
    pub(crate) fn parts(
        &self,
        rule: &CompiledRule,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = &[Condition]> + use<'_>> + use<'_> {
        rule.all_of
            .get(&self.parts)
            .iter()
            .map(|part| part.get(&self.items).iter().map(|item| item.get(&self.conditions)))
    }

    /// The pattern numbers of a condition, ascending.
    pub(crate) fn values<'v>(&'v self, condition: &'v Condition) -> &'v [u32] {
        match &condition.values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Few(span) => span.get(&self.values),
            Values::Many(number) => {
                let span = usize::try_from(*number).ok().and_then(|number| self.many.get(number));
                span.copied().unwrap_or_default().get(&self.values)
            }
        }
    }

    /// Adds a condition to the item that is not ended yet.
    pub(super) fn push_condition(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// Ends an item: it has the conditions since the one before.
    pub(super) fn end_item(&mut self) {
        let item = Span::since(self.items.last(), &self.conditions);
        self.items.push(item);
    }

    /// Ends a part: it has the items since the one before.
    pub(super) fn end_part(&mut self) {
        let part = Span::since(self.parts.last(), &self.items);
        self.parts.push(part);
    }

    /// Ends a rule: it has the parts since the one before.
    pub(super) fn end_rule(&mut self, policy: u32, index: u32) {
        let all_of = Span::since(self.rules.last().map(|rule| &rule.all_of), &self.parts);
        self.rules.push(CompiledRule { all_of, policy, index });
    }

    /// Adds a list of values that is not there yet.
    #[inline(never)]
    pub(super) fn push_values(&mut self, values: &[u32]) -> Values {
        if let [value] = values {
            return Values::One(*value);
        }
        let span = Span::of(&mut self.values, values.iter().copied());
        if values.len() <= FEW {
            return Values::Few(span);
        }
        let number = small(self.many.len());
        self.many.push(span);
        Values::Many(number)
    }

    /// Gives back the memory that only growing needed.
    #[inline(never)]
    pub(super) fn finish(&mut self) {
        self.rules.shrink_to_fit();
        self.parts.shrink_to_fit();
        self.items.shrink_to_fit();
        self.conditions.shrink_to_fit();
        self.values.shrink_to_fit();
    }
}
