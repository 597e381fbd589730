/** Text that comes bit by bit, and can be waited for. */
export class Printed {
  text = ""
  readonly #waiting = new Set<() => void>()

  add(part: unknown): void {
    this.text += String(part)
    for (const look of this.#waiting) look()
  }

  /** Waits until the text matches; fails with `why()` when it does not in time, or when nothing more will come. */
  matches(pattern: RegExp, ended: Promise<unknown>, why: () => string, withinMs = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error?: Error) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        if (error === undefined) resolve()
        else reject(error)
      }
      const look = () => {
        if (pattern.test(this.text)) done()
      }
      const fail = () => done(new Error(`it did not print ${pattern}: ${why()}`))
      const timer = setTimeout(fail, withinMs)
      this.#waiting.add(look)
      look()
      void ended.then(fail)
    })
  }
}
