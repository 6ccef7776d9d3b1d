import test from 'brittle'
import {
  ollamaModelFacts,
  ollamaModels,
  ollamaShowSchema,
  ollamaTagsSchema,
} from '../../../../../helpers/upstream/ollama/model-description.js'

test('should tell embedding models apart and find those that run elsewhere', (t) => {
  const families = { 'bge-m3:latest': 'bert', 'nomic-x:latest': 'nomic-bert', 'x:1b': 'llama' }
  const named = [
    'qwen3-embedding:0.6b',
    'hf.co/BAAI/bge-small:q8',
    'e5-large',
    'llama3.2:1b',
    'gemma3',
  ]
  const tags = ollamaTagsSchema.parse({
    models: [
      ...Object.entries(families).map(([name, family]) => ({ name, details: { family } })),
      ...named.map((name) => ({ name, details: { family: 'qwen3', families: null } })),
      { name: 'told', capabilities: ['embedding'] },
      { name: 'embed-no', capabilities: ['completion'] },
      { name: 'gpt-oss:120b-cloud', remote_host: 'https://ollama.com:443' },
    ],
  })
  const models = ollamaModels(tags)
  t.alike(
    models.filter(({ isEmbedding }) => isEmbedding).map(({ name }) => name),
    [
      'bge-m3:latest',
      'nomic-x:latest',
      'qwen3-embedding:0.6b',
      'hf.co/BAAI/bge-small:q8',
      'e5-large',
      'told',
    ],
  )
  t.alike(
    models.filter(({ isRemote }) => isRemote).map(({ name }) => name),
    ['gpt-oss:120b-cloud'],
  )
  t.alike(ollamaModels(ollamaTagsSchema.parse({ models: null })), [])
})

test('should find what an engine needs in what the server shows', (t) => {
  const sha256 = 'dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff'
  const shown = ollamaShowSchema.parse({
    modelfile: `# FROM llama3.2:latest\n\nFROM /root/.ollama/models/blobs/sha256-${sha256}\nTEMPLATE """x"""`,
    details: { family: 'llama', quantization_level: 'Q4_K_M' },
    model_info: { 'general.architecture': 'llama', 'llama.context_length': 131_072 },
    capabilities: ['completion', 'tools', 'thinking'],
    license: 'MIT',
  })
  t.alike(ollamaModelFacts('llama3.2', shown), {
    contextTokens: 131_072,
    sha256,
    answers: true,
    embeds: false,
    takesTools: true,
    thinks: true,
  })
  const nothing = ollamaShowSchema.parse({})
  const unknown = { contextTokens: null, sha256: null, takesTools: false, thinks: false }
  t.alike(ollamaModelFacts('x', nothing), { ...unknown, answers: true, embeds: false })
  t.alike(ollamaModelFacts('all-minilm:latest', nothing), {
    ...unknown,
    answers: false,
    embeds: true,
  })
})
