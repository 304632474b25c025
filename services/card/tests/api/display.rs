//! What a browser shows of a card.
