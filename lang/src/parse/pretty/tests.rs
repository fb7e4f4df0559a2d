//! Scripts in and out; each result is formatted once more, which must change nothing.

use super::pretty;
use crate::Source;
use expect_test::{Expect, expect};

#[allow(clippy::needless_pass_by_value, reason = "as the macro gives it")]
fn check(text: &str, expected: Expect) {
    let once = formatted(text);
    expected.assert_eq(&once);
    assert_eq!(formatted(&once), once, "formatted twice");
}

fn formatted(text: &str) -> String {
    pretty(&Source::new("stdin", text))
        .unwrap_or_else(|errors| errors.iter().map(|d| d.render(&[Source::new("stdin", text)])).collect())
}

#[test]
fn statements_and_blocks() {
    check(
        "begin{printf(\"x\\n\");}\nkprobe:a,kprobe:b\n/pid==1&&comm==\"x\"/{if(pid==1){print(1)}else if(pid==2){\nprint(2);}\n\
         else{}\n\n\n\n$a=(uint64)arg0;@[pid,comm]=count();$b=-1*~2+!$a- -3;$c=$a?1:2;unroll(3){$a++;--$a;}\n\
         for($i:0..10){continue;}for $kv:@m{print($kv.0)}while($a<3){$a+=1;}\n\
         $t=(1,);$r=(a=1,b=\"x\");$q=((struct Foo*)arg0)->a[3];$z={let $w:uint8=1;\n$w};*(uint8**)$q;return;}end{ }",
        expect![[r#"
            begin { printf("x\n"); }
            kprobe:a, kprobe:b
            /pid == 1 && comm == "x"/
            {
              if (pid == 1) { print(1) } else if (pid == 2) {
                print(2);
              } else { }

              $a = (uint64)arg0;
              @[pid, comm] = count();
              $b = -1 * ~2 + !$a - -3;
              $c = $a ? 1 : 2;
              unroll (3) { $a++; --$a; }
              for ($i : 0..10) { continue; }
              for $kv : @m { print($kv.0) }
              while ($a < 3) { $a += 1; }
              $t = (1,);
              $r = (a=1, b="x");
              $q = ((struct Foo*)arg0)->a[3];
              $z = {
                let $w: uint8 = 1;
                $w
              };
              *(uint8**)$q;
              return;
            }
            end { }
        "#]],
    );
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "#!/usr/bin/env rbtrace\n/* block\n * comment */\n#include <linux/sched.h>\n#ifdef X\n  old { code }\n#endif\n\
         struct Foo { int a; // first\n char  b[4]; };\n\n\n\n// before\nconfig={max_strlen=64;stack_mode=perf}\n\
         import \"stdlib\" ;\nlet @m=lruhash( 100 );\nmacro add(x,$y,@z){ // body\n$y+=x; /* in */ @z++;\n\n  // last\n}\n\
         begin // tail\n{\n\n  // own\n  $a = 1;   // one\n\n  // two\n  $b = 2; /* three */\n\
         #if 1\n  $c = 3;\n#else\n   $c   =   4;\n#endif\n  if ($a) {\n  }\n  // odd\n  else { print(/* x */ 1); }\n}\n// end\n",
        expect![[r##"
            #!/usr/bin/env rbtrace
            /* block
             * comment */
            #include <linux/sched.h>
            #ifdef X
              old { code }
            #endif
            struct Foo { int a; // first
             char  b[4]; };

            // before
            config = { max_strlen = 64; stack_mode = perf }
            import "stdlib";
            let @m = lruhash(100);
            macro add(x, $y, @z) { // body
              $y += x; /* in */
              @z++;

              // last
            }
            begin // tail
            {
              // own
              $a = 1; // one

              // two
              $b = 2; /* three */
            #if 1
              $c = 3;
            #else
               $c   =   4;
            #endif
              if ($a) {
              }
              // odd
              else { print(/* x */ 1); }
            }
            // end
        "##]],
    );
}

#[test]
fn broken_lines_stay_broken() {
    check(
        "begin {\nprintf(\"%d %s\\n\",\n1,\n   \"abc\"\n\"def\",\n  max(1,\n 2)); print(\n  max(\n1,2), 2\n  );\n$a = 1 +\n2;\nif ($a == 1 &&\n$a == 2)\n{ exit(); }\n}",
        expect![[r#"
            begin
            {
              printf("%d %s\n",
                     1,
                     "abc"
                     "def",
                     max(1,
                         2));
              print(
                  max(
                      1, 2), 2);
              $a = 1 +
                  2;
              if ($a == 1 &&
                  $a == 2) { exit(); }
            }
        "#]],
    );
}

#[test]
fn a_script_with_mistakes_is_not_formatted() {
    assert!(formatted("begin { $a = ; }").contains("stdin:1:14-15: ERROR: syntax: expected an expression"));
}
