mod macros;
