/** Plants the mutant that `LEAT_MUTANT` names, if any: `node --import plantNamed.ts`, for programs that a test starts. */
import { mutantCalled, plantInProcess } from "./plant.ts"

const name = process.env["LEAT_MUTANT"]
if (name !== undefined) plantInProcess(mutantCalled(name))
