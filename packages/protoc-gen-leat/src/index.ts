/** The generator behind `leat contracts gen`, and what other tools need of it. */
export { type ContractOptions, findContracts } from "./contracts.ts"
export { optionsProto, pluginCommand } from "./package.ts"
export { plugin } from "./plugin.ts"
