export type { CommandStreams } from "./CommandRun.ts"
export { run } from "./run.ts"
