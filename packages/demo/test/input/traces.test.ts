import { expect, it } from "vitest"
import { readEvents } from "./readLog.ts"

/** Numbers of the lines at which events begin. */
const beginnings = async (text: string) =>
  (await readEvents(text)).map(({ inputRef }) => Number(inputRef.slice(inputRef.lastIndexOf(":") + 1)))

const head = "2024-01-02 03:04:05,678 ERROR [main] com.foo.Bar: broken"

it.each([
  [
    "Java",
    `${head}
java.lang.IllegalStateException: no
\tat com.foo.Bar.run(Bar.java:12)
\t... 12 more
Caused by: java.io.IOException: disk
\tat com.foo.Disk.read(Disk.java:7)
${head}`,
    [1, 7]
  ],
  [
    "Python",
    `${head}
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    1/0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "x.py", line 3, in <module>
subprocess.TimeoutExpired: too slow
words
ValueError: of its own
ValueError: of its own too`,
    [1, 12, 13, 14]
  ],
  [
    "Go",
    `words
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/tmp/x.go:8 +0x1d
main.(*T).foo(0xc000010000, 0x5)
\t/tmp/x.go:9 +0x1d
created by main.start
\t/tmp/x.go:3
exit status 2
words`,
    [1, 2, 12]
  ],
  ["a trace of its own", "Traceback (most recent call last):\n  File\nKeyError: 1\nwords", [1, 4]],
  ["lines that are indented", `${head}\n  a\n\tb\n\n  c\nd`, [1, 5, 6]]
])("%s", async (_, text, expected) => {
  expect(await beginnings(text)).toEqual(expected)
})

it("keeps a trace as it is written, in the message of its line", async () => {
  const trace = "Traceback (most recent call last):\n  File\nKeyError: 1\n\nDuring handling of the above exception"
  const [first] = await readEvents(`${head}\r\n${trace.replaceAll("\n", "\r\n")}`)
  expect(first?.message).toBe(`broken\n${trace}`)
})

it("goes on in another event when one is full", async () => {
  const line = `  ${"x".repeat(99_998)}`
  const events = await readEvents([head, ...Array.from({ length: 12 }, () => line)].join("\n"))
  expect(events.map(({ message }) => message.split("\n").length)).toEqual([6, 5, 2])
  expect(events.map(({ atUs }) => atUs)).toEqual(events.map(() => events[0]?.atUs))
})
