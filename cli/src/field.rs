//! Fields of protobuf messages in JSON or YAML, which may be written in snake case or in lower camel case.

use serde_json::Value;

/// The field of that name, in snake case or in protobuf's lower camel case.
pub(crate) fn field<'a>(object: &'a Value, snake: &str) -> Option<&'a Value> {
    object.get(snake).or_else(|| object.get(camel(snake)))
}

/// Which of both names the object has.
pub(crate) fn spelling(object: &Value, snake: &str) -> Option<String> {
    [snake.to_owned(), camel(snake)].into_iter().find(|name| object.get(name).is_some())
}

/// A name in snake case, of one in either case.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &initial.into_iter().chain(letters).collect::<String>()
    })
}
