/** The events of the fleet: each says who has published it and as which, so that nobody takes another one, or a garbled one, for it. */
import { crc32 } from "node:zlib"
import { type Note, noteContract } from "../../packages/leat/test/contracts/Note.ts"

export type { Note }

export const contract = noteContract({ needs: ["order", "replay"] })

/** A text that is never used again: `name` is of a process, and `number` of its event. */
export function textOf(name: string, number: number, key: string): string {
  const said = `${name} ${number} ${key}`
  return `${said} ${crc32(said)}`
}

/** Whether an event is as somebody has published it. */
export function isIntact({ key, text }: Note): boolean {
  const [name = "", number, told = ""] = text.split(" ")
  return told === key && textOf(name, Number(number), key) === text
}

export const nameOf = (text: string): string => text.slice(0, text.indexOf(" "))
