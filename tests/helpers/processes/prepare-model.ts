// Prepares one model as a worker does, and reports on its standard output, one JSON object per line:
//     node prepare-model.js DIRECTORY REFERENCE [HUB_URL]
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ModelCache } from '../../../facilities/models/cache/model-cache.js'

const [directory = '', reference = '', hubUrl] = process.argv.slice(2)
const cache = new ModelCache({
  directory,
  random: new SystemRandom(),
  ...(hubUrl === undefined ? {} : { hubUrl }),
})
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)
const model = await cache.prepare(reference, { onProgress: tell })
tell({ prepared: model })
