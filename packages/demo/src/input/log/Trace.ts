/** First lines of traces. Behind a line that has a head they belong to it. */
const opening =
  /^(?:Traceback \(most recent call last\):|Exception in thread |panic: |fatal error: |goroutine \d{1,10} \[|thread '[^']{0,64}' panicked at |(?:[\w$]{1,64}\.){0,16}[\w$]{0,64}(?:Exception|Error|Throwable)(?::|$))/

/** Lines at the margin that go on with a trace. */
const goingOn =
  /^(?:Caused by: |Suppressed: |\.\.\. \d{1,9} more|During handling of the above exception|The above exception was the direct cause|Traceback \(most recent call last\):|goroutine \d{1,10} \[|\[signal |\[recovered\]|created by |exit status \d|\.\.\.additional frames|note: run with|stack backtrace:)/

/** The last line of a trace of Python, behind its frames: the name of an exception. */
const lastOfPython = /^[A-Za-z_][\w.]{0,255}(?:: |:?$)/

/** Characters of a line that tell whether it belongs to a trace. */
const lookedAt = 512

/** Tells which lines of a file go on with the event before them: those that are indented, and those of stack traces. */
export class Trace {
  #isOpen = false
  #isPython = false
  #wasIndented = false
  /** Blank lines stand between the last line and the next. */
  #isApart = false
  #hadHead = false

  blank(): void {
    this.#isApart = true
  }

  /** The next line goes on with nothing. */
  end(): void {
    this.#isOpen = this.#isPython = this.#wasIndented = this.#isApart = this.#hadHead = false
  }

  /** Whether this line, the next of the file, goes on with the event before it. */
  goesOn(text: string, hasHead: boolean): boolean {
    const start = text.length > lookedAt ? text.slice(0, lookedAt) : text
    const isIndented = start.startsWith(" ") || start.startsWith("\t")
    const isOpening = !hasHead && opening.test(start)
    const belongs = !hasHead && (this.#isTraced(start, isIndented) || this.#isNext(isIndented, isOpening))
    const isOpen = isOpening || (belongs && this.#isOpen)
    this.#isPython = isOpen && (start.startsWith("Traceback") || (belongs && this.#isPython))
    this.#isOpen = isOpen
    this.#wasIndented = isIndented
    this.#isApart = false
    this.#hadHead = hasHead
    return belongs
  }

  /** A line of the trace that is open, behind blank lines too. */
  #isTraced(start: string, isIndented: boolean): boolean {
    if (!this.#isOpen) return false
    return (
      isIndented ||
      goingOn.test(start) ||
      isCall(start) ||
      (this.#isPython && this.#wasIndented && lastOfPython.test(start))
    )
  }

  /** A line right behind another that goes on with it, or opens its trace. */
  #isNext(isIndented: boolean, isOpening: boolean): boolean {
    return !this.#isApart && (isIndented || (isOpening && this.#hadHead))
  }
}

/** A frame of Go: `main.(*Server).handle(0xc000010000, ...)`. */
function isCall(start: string): boolean {
  return start.length < lookedAt && start.endsWith(")") && /^[\w./-]{1,255}[.(]/.test(start)
}
