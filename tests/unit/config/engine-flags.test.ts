import test from 'brittle'
import { createCommand } from '../../../config/command-line.js'
import {
  type EngineFlags,
  engineSettings,
  engineVariables,
  withEngineFlags,
} from '../../../config/engine-flags.js'
import { loadConfig } from '../../../config/load-config.js'

function parsed(...words: string[]): EngineFlags {
  return withEngineFlags(createCommand('test', 'x')).parse(words, { from: 'user' }).opts()
}

test('should set nothing when nothing is given', (t) => {
  t.alike(engineSettings(parsed()), { models: undefined, engines: undefined })
  t.alike(engineVariables(parsed()), {})
})

test('should take several models, one flag or many', (t) => {
  t.alike(parsed('--model', 'a', 'b').model, ['a', 'b'])
  t.alike(parsed('--model', 'a', '--model', 'b').model, ['a', 'b'])
  t.alike(engineSettings(parsed('--model', 'a')).engines, ['llama'])
})

test('should use a server that is named, behind models that are named', (t) => {
  const url = 'http://127.0.0.1:1'
  t.alike(engineSettings(parsed('--ollama-host', url)), {
    models: undefined,
    engines: ['ollama'],
    ollama: { url },
  })
  t.alike(engineSettings(parsed('--openai-url', url, '--model', 'a')).engines, ['llama', 'openai'])
  t.alike(engineSettings(parsed('--engine', 'llama', 'openai', '--openai-url', url)).engines, [
    'llama',
    'openai',
  ])
})

test('should say the same to another process, by its environment', (t) => {
  // A comma in an address is a part of it.
  const address = 'https://example.com/a,b.gguf?signature=x'
  const words = ['--model', address, '--model', '7', '--engine', 'llama', '--engine', 'openai']
  words.push('--ollama-host', 'http://127.0.0.1:1', '--openai-url', 'http://127.0.0.1:2')
  const flags = parsed(...words)
  const read = (environment: Record<string, string>) =>
    loadConfig({ environment, flags: {} }).processor
  t.alike(
    read(engineVariables(flags)),
    loadConfig({ environment: {}, flags: { processor: engineSettings(flags) } }).processor,
  )
  t.alike(read(engineVariables(parsed('--model', '7'))).models, ['7'])
})
