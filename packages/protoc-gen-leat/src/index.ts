/** The generator behind `leat contracts gen`, and what other tools need of it. */
export { type ContractOptions, findContracts, isGenerated } from "./contracts.ts"
export { generateFile } from "./generateFile.ts"
export { optionsProto } from "./package.ts"
export { plugin } from "./plugin.ts"
