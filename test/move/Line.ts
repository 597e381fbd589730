/** What a process of the fleet prints. Times are in milliseconds; those of events on a clock that all processes of the machine have in common. */
export type Line =
  | readonly ["open", incarnation: string]
  /** An empty text: it was not admitted. */
  | readonly ["offered", text: string, tookMs: number]
  | readonly ["queued", text: string, tookMs: number]
  /** The process was told that it is stored. */
  | readonly ["stored", text: string, tookMs: number]
  | readonly ["failed", text: string, why: string]
  | readonly ["handled", text: string, key: string, seq: number, atMs: number]
  /** So many records were sent, and perhaps stored, and their answer was lost. */
  | readonly ["unanswered", records: number]
  /** It was closed. */
  | readonly ["end", isBalanced: boolean]

export type Handled = Extract<Line, readonly ["handled", ...Array<unknown>]>
