//! What a person fills in to have a job of a kind run: made of the type of its arguments, so that none is forgotten.

/// A kind of job as a person submits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub kind: &'static str,
    /// What such a job does, in a sentence.
    pub about: &'static str,
    pub fields: Vec<Field>,
}

/// An argument that people are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub shape: Shape,
    /// What an example looks like, or what is meant when it is left out.
    pub hint: &'static str,
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    /// Left out where it is not told.
    Flag,
}

impl Shape {
    pub fn is_flag(self) -> bool {
        self == Self::Flag
    }

    pub fn is_number(self) -> bool {
        self == Self::Number
    }
}

/// What people see of an argument: what it is called, and its hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It has to be filled in.
    Needed(&'static str, &'static str),
    Asked(&'static str, &'static str),
    /// It is for programs.
    Hidden,
}

/// A type of which an argument can be.
pub trait Argument {
    const SHAPE: Shape;
}

macro_rules! arguments {
    ($shape:ident: $($type:ty),*) => {
        $(impl Argument for $type {
            const SHAPE: Shape = Shape::$shape;
        })*
    };
}
arguments!(Flag: bool);
arguments!(Number: i16, i32, i64, u16, u32, u64, usize);
arguments!(Text: String);

impl<T: Argument> Argument for Option<T> {
    const SHAPE: Shape = T::SHAPE;
}

/// The field of an argument, whose shape is that of its type; none: it is hidden.
pub fn field<A, T: Argument>(name: &'static str, _: fn(&A) -> &T, shown: Shown) -> Option<Field> {
    let (label, hint, required) = match shown {
        Shown::Needed(label, hint) => (label, hint, true),
        Shown::Asked(label, hint) => (label, hint, false),
        Shown::Hidden => return None,
    };
    Some(Field {
        name,
        label,
        shape: T::SHAPE,
        hint,
        required,
    })
}

/// The form of a kind: `form!("clean", "Deletes what is old.", CleanArgs { days: Shown::Needed("Days", "30") })`. An
/// argument of the type that is not named does not compile.
#[macro_export]
macro_rules! form {
    ($kind:expr, $about:expr, $args:ident { $($name:ident: $shown:expr),* $(,)? }) => {{
        let _all_are_named = |$args { $($name: _),* }: &$args| ();
        let fields: &[Option<$crate::form::Field>] =
            &[$($crate::form::field(stringify!($name), |args: &$args| &args.$name, $shown)),*];
        $crate::form::Form {
            kind: $kind,
            about: $about,
            fields: fields.iter().copied().flatten().collect(),
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Args {
        who: String,
        days: Option<u32>,
        dry_run: bool,
        internal: bool,
    }

    #[test]
    fn a_form_has_the_arguments_of_a_type_with_their_shapes_but_those_that_are_hidden() {
        let form = form!(
            "clean",
            "Deletes what is old.",
            Args {
                who: Shown::Needed("Who", "A#B"),
                days: Shown::Asked("Days", "30"),
                dry_run: Shown::Asked("Only count", "no"),
                internal: Shown::Hidden,
            }
        );
        let fields = form.fields.iter();
        let fields: Vec<_> = fields
            .map(|field| (field.name, field.shape, field.required))
            .collect();
        let wanted = [
            ("who", Shape::Text, true),
            ("days", Shape::Number, false),
            ("dry_run", Shape::Flag, false),
        ];
        assert_eq!((form.kind, &*fields), ("clean", &wanted[..]));
    }
}
