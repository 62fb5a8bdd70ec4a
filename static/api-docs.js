"use strict";

// Draws the OpenAPI document with Swagger UI from this machine's own files.
const host = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: host.dataset.schema,
  domNode: host,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
