// Made of the endpoint records by `node src/http/typescript/print.ts`. A test compares the two.

/** Every endpoint by its name: its method, its path, and what it takes beside ids. */
export const OPERATIONS = {
  me: {
    get: 'GET /v1/me',
    update: 'PATCH /v1/me body',
    delete: 'DELETE /v1/me',
    preferences: {
      get: 'GET /v1/me/preferences',
      replace: 'PUT /v1/me/preferences body',
      update: 'PATCH /v1/me/preferences body',
    },
    export: 'GET /v1/me/export',
    history: {
      list: 'GET /v1/me/history list',
    },
    sessions: {
      list: 'GET /v1/me/sessions items',
      delete: 'DELETE /v1/me/sessions/:id',
    },
  },
  users: {
    list: 'GET /v1/users list',
    import: 'POST /v1/users/import upload',
    export: 'GET /v1/users/export query',
    create: 'POST /v1/users body',
    bulk: 'POST /v1/users/bulk body',
    get: 'GET /v1/users/:id query',
    update: 'PATCH /v1/users/:id body',
    delete: 'DELETE /v1/users/:id',
    identities: {
      list: 'GET /v1/users/:id/identities items',
      delete: 'DELETE /v1/users/:id/identities/:identityId',
    },
    history: {
      list: 'GET /v1/users/:id/history list',
    },
  },
  history: {
    list: 'GET /v1/history list',
    undo: 'POST /v1/history/:id/undo',
    undoRequest: 'POST /v1/history/:id/undo-request',
  },
  changes: {
    list: 'GET /v1/changes list',
  },
  statistics: {
    days: {
      get: 'GET /v1/statistics/days query',
    },
  },
  status: {
    get: 'GET /v1/status',
  },
  webhooks: {
    list: 'GET /v1/webhooks items',
    resume: 'POST /v1/webhooks/:name/resume',
    test: 'POST /v1/webhooks/:name/test',
  },
  access: {
    get: 'GET /v1/access',
    refused: {
      list: 'GET /v1/access/refused list',
    },
  },
  serviceTokens: {
    create: 'POST /v1/service-tokens body',
    list: 'GET /v1/service-tokens items',
    delete: 'DELETE /v1/service-tokens/:id',
  },
  sessions: {
    list: 'GET /v1/sessions list',
    delete: 'DELETE /v1/sessions/:id',
  },
} as const;
