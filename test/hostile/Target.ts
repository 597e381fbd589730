/** Something that is given what nobody expects. */
import type { Draw } from "./mutate.ts"

export interface Target {
  readonly name: string
  /** Of a thousand inputs. */
  readonly share: number
  /**
   * Draws one input and gives it. Returns how it was answered: a value, or a typed error by its name. What is thrown is a violation,
   * and so is an answer that the target itself finds wrong; `given` shows the input.
   */
  readonly give: (draw: Draw, given: (input: unknown) => void) => string
}

/** The name of a typed error; anything else is thrown on. */
export function typed(error: unknown, ...kinds: ReadonlyArray<abstract new (...args: never) => Error>): string {
  const kind = kinds.find((one) => error instanceof one)
  if (kind === undefined) throw error
  return kind.name
}
