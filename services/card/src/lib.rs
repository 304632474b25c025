//! Templates of cards, rendered as HTML and exported as React components.
