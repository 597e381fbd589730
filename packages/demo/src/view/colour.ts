import { styleText } from "node:util"
import type { ColorChoice } from "../arguments.ts"

export type Style = "red" | "yellow" | "green" | "cyan" | "magenta" | "dim" | "bold"

/** Dresses text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export const plain: Paint = (_, text) => text

export const coloured: Paint = (style, text) => (text === "" ? "" : styleText(style, text, { validateStream: false }))

type Environment = Readonly<Record<string, string | undefined>>

/** Whether to use colours: the flag decides, then NO_COLOR, then FORCE_COLOR, then whether anybody can see them. */
export function wantsColor(choice: ColorChoice, environment: Environment, isTerminal: boolean): boolean {
  if (choice !== "auto") return choice === "always"
  if ((environment["NO_COLOR"] ?? "") !== "") return false
  const forced = environment["FORCE_COLOR"]
  if (forced !== undefined) return forced !== "0" && forced !== "false"
  return isTerminal && environment["TERM"] !== "dumb"
}
