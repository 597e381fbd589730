/** The generator behind `leat contracts gen`, and what other tools need of it. The plugin for buf and protoc is a command. */
export { type ContractOptions, findContracts, isGenerated } from "./contracts.ts"
export { generateFile } from "./generateFile.ts"
export { locate } from "./locate.ts"
export { optionsProto } from "./package.ts"
