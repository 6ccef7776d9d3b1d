import { configSchema } from '../../../config/schema.js'
import { runOffline } from '../../../workers/client/run-client.js'

/**
 * A client command that writes more than a pipe holds, reports that on standard error, and
 * ends. The first argument is its home, the second the number of lines of 1,000 characters.
 */
const [home = '', lines = '0'] = process.argv.slice(2)

await runOffline(configSchema.parse({ home }), async ({ output }) => {
  for (let index = 0; index < Number(lines); index += 1) output.line('x'.repeat(999), {})
  process.stderr.write('done\n')
  return undefined
})
