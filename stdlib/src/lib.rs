//! The tables of the language: functions, builtins, probe kinds, config variables, constants.
