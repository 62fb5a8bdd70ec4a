"""How numbers are written in a language, where Django says it otherwise."""
