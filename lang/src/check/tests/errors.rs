//! Operators that make no sense, and how messages show their place.

use super::*;

#[test]
fn texts_do_not_compute() {
    check(
        "begin { print(\"a\" + \"b\"); print(\"a\" < \"b\"); print(-\"a\"); print(\"a\" == 5); print((1, 2) == (1, \"a\")); }",
        expect![[r#"
            stdin:1:15-24: ERROR: '+' does not work on string[2] and string[2]
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                          ~~~~~~~~~
            HINT: printf("%s%s", a, b) prints texts one after another
            stdin:1:33-42: ERROR: '<' does not work on string[2] and string[2]
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                            ~~~~~~~~~
            HINT: texts compare with == and != only
            stdin:1:51-55: ERROR: '-' does not work on string[2]
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                              ~~~~
            stdin:1:64-72: ERROR: '==' cannot compare string[2] with int8
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                           ~~~~~~~~
            stdin:1:64-67: NOTE: left (string[2])
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                           ~~~
            stdin:1:71-72: NOTE: right (int8)
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                                  ~
            stdin:1:81-99: ERROR: '==' cannot compare (int8,int8) with (int8,string[2])
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                                            ~~~~~~~~~~~~~~~~~~
            stdin:1:81-87: NOTE: left ((int8,int8))
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                                            ~~~~~~
            stdin:1:91-99: NOTE: right ((int8,string[2]))
            begin { print("a" + "b"); print("a" < "b"); print(-"a"); print("a" == 5); print((1, 2) == (1, "a")); }
                                                                                                      ~~~~~~~~
        "#]],
    );
}

#[test]
fn several_errors_in_one_run() {
    check(
        "begin { $x = nosuch; print($x.y); @a = $x; print(@a); print(other); }",
        expect![[r#"
            stdin:1:14-20: ERROR: nothing here is called 'nosuch'
            begin { $x = nosuch; print($x.y); @a = $x; print(@a); print(other); }
                         ~~~~~~
            stdin:1:61-66: ERROR: nothing here is called 'other'
            begin { $x = nosuch; print($x.y); @a = $x; print(@a); print(other); }
                                                                        ~~~~~
        "#]],
    );
}

#[test]
fn enums_and_constants() {
    check(
        "enum e { AA, BB = 5, CC = BB + 1 } begin { @ = AA; print(CC); print((enum e)6); print(AF_INET6); print(GREEN); print(BB + 1); if (BB == 5) { } $x = AA; $x = BB; }",
        expect![[r#"
            map @: enum e (4096 entries)
            probe begin#0 (Unknown)
              local $x.0: enum e
              @ = 0:enum e
              Print(6:enum e)
              Print((enum e)6:int8)
              Print(10:int8)
              Print(1:enum color)
              Print(((uint64)5:enum e + 1:uint64))
              if (5:uint32 == 5:uint32)
              $x.0 = 0:enum e
              $x.0 = 5:enum e
        "#]],
    );
}

#[test]
fn a_body_for_several_probes_says_it_once() {
    assert_eq!(
        messages("kprobe:vfs_read, kretprobe:vfs_read, begin { nosuch(); }"),
        "ERROR: there is no function 'nosuch'\n"
    );
}
