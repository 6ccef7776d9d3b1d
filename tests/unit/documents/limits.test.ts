import test from 'brittle'
import { z } from 'zod'
import { configSchema } from '../../../config/schema.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import { readProjectFile, tableRows } from '../../helpers/project-documents.js'

const jsonSchema = z.object({
  type: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
})

/** The paths of all keys that take a number, ports aside: those are no limits. */
function numericKeys(schema: unknown, path: string[] = []): string[] {
  const { type, properties, anyOf = [] } = jsonSchema.parse(schema)
  const inner = Object.entries(properties ?? {}).flatMap(([key, value]) =>
    numericKeys(value, [...path, key]),
  )
  const isNumber = [type, ...anyOf.map((one) => jsonSchema.parse(one).type)].some(
    (name) => name === 'integer' || name === 'number',
  )
  const isPort = /port$/i.test(path.at(-1) ?? '')
  return isNumber && !isPort ? [path.join('.')] : inner
}

function defaultOf(path: string): string {
  let value: unknown = configSchema.parse({})
  for (const key of path.split('.')) value = Object(value)[key]
  return value === undefined ? '–' : String(value)
}

test('should list every number of the configuration with its true default', async (t) => {
  const rows = tableRows(await readProjectFile('LIMITS.md'))
  const listed = rows.flatMap(([name, value, setIn]) => (setIn === 'config' ? [[name, value]] : []))
  const keys = numericKeys(z.toJSONSchema(configSchema))
  t.ok(keys.length > 20 && keys.includes('processor.threads'), 'the schema was read')
  t.alike(Object.fromEntries(listed), Object.fromEntries(keys.map((key) => [key, defaultOf(key)])))
})

test('should list every limit of the protocol with its value', async (t) => {
  const rows = tableRows(await readProjectFile('LIMITS.md'))
  const listed = rows.flatMap(([name, value, setIn]) =>
    setIn === 'PROTOCOL_LIMITS' ? [[name, Number(value)]] : [],
  )
  t.alike(Object.fromEntries(listed), { ...PROTOCOL_LIMITS })
})

test('should list constants with the values that their files give them', async (t) => {
  const rows = tableRows(await readProjectFile('LIMITS.md'))
  for (const [name, value, file = ''] of rows.filter(([, , setIn]) => setIn?.endsWith('.ts'))) {
    const source = await readProjectFile(file)
    const factors = new RegExp(`const ${name} = ([\\d_ *]+)`).exec(source)?.[1] ?? ''
    const product = factors
      .replaceAll('_', '')
      .split('*')
      .reduce((result, factor) => result * Number(factor), 1)
    t.is(String(product), value, `${name} in ${file}`)
  }
})

test('should say of each limit why it is there and what happens when it is reached', async (t) => {
  const rows = tableRows(await readProjectFile('LIMITS.md'))
  for (const [name, ...cells] of rows) {
    t.is(cells.length, 4, name)
    t.ok(
      cells.every((cell) => cell !== ''),
      name,
    )
  }
  t.is(new Set(rows.map(([name]) => name)).size, rows.length, 'each of them once')
})
