/** A call that can be given up. */
export interface Call {
  /** Waits no longer. */
  readonly giveUp: () => void
}

/**
 * A promise for the answer of a call, until the signal is aborted: then the call is given up, and the promise rejects with what
 * `given` makes of the reason. Nothing is begun when the signal was aborted before; then it rejects with the reason itself. What is begun may abort the
 * signal: then the call looks at `isAborted`, and is given up as soon as it is there. Another listener may keep the event of the signal from this one:
 * then an answer that comes later rejects as aborted.
 */
export function untilAborted<A, C extends Call>(
  options: { readonly signal?: AbortSignal | undefined },
  begin: (resolve: (value: A) => void, reject: (error: unknown) => void, isAborted?: () => boolean) => C,
  given: (call: C, reason: unknown) => unknown
): Promise<A> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal === undefined) {
      begin(resolve, reject)
      return
    }
    signal.throwIfAborted()
    let isSettled = false
    const settle = () => {
      isSettled = true
      signal.removeEventListener("abort", abort)
    }
    const isAborted = () => signal.aborted
    let call: C | undefined
    const answered = (give: () => void) => {
      if (isAborted()) return abort()
      settle()
      give()
    }
    call = begin(
      (value) => answered(() => resolve(value)),
      (error) => answered(() => reject(error)),
      isAborted
    )
    function abort(): void {
      // What is begun is given up as soon as it is there.
      if (isSettled || call === undefined) return
      settle()
      reject(given(call, signal?.reason))
      call.giveUp()
    }
    if (isSettled) return
    if (isAborted()) abort()
    else signal.addEventListener("abort", abort)
  })
}
