export { leat } from "./leat.ts"
export { runCommand } from "./runCommand.ts"
