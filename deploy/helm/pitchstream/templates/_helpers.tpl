{{- define "pitchstream.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "pitchstream.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "pitchstream.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pitchstream.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pitchstream.selector" -}}
app.kubernetes.io/name: {{ include "pitchstream.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "pitchstream.labels" -}}
{{ include "pitchstream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "pitchstream.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pitchstream.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "pitchstream.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "pitchstream.secret" -}}
{{- required "secrets.existingSecret: name the Secret that holds the connections (README.md says which keys)" .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "pitchstream.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "pitchstream.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* One connection from the Secret, as a file below /etc/pitchstream/secrets: a variable would be seen by who may describe the pod's processes. */}}
{{- define "pitchstream.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ include "pitchstream.secret" .root }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . | quote }}, path: {{ . | quote }}}
      {{- end }}
{{- if .root.Values.secrets.tlsSecret }}
- name: tls
  secret:
    secretName: {{ .root.Values.secrets.tlsSecret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "pitchstream.secretMounts" -}}
- {name: secrets, mountPath: /etc/pitchstream/secrets, readOnly: true}
{{- if .Values.secrets.tlsSecret }}
- {name: tls, mountPath: /etc/pitchstream/tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "pitchstream.kafkaEnv" -}}
- {name: PITCHSTREAM_KAFKA_BROKERS, value: {{ join "," .Values.kafka.brokers | quote }}}
- {name: PITCHSTREAM_KAFKA_GROUP, value: {{ .Values.kafka.group | quote }}}
{{- if .Values.kafka.tls }}
- {name: PITCHSTREAM_KAFKA_TLS, value: "true"}
{{- end }}
{{- if ne .Values.kafka.sasl.mechanism "none" }}
- {name: PITCHSTREAM_KAFKA_SASL_MECHANISM, value: {{ .Values.kafka.sasl.mechanism | quote }}}
- {name: PITCHSTREAM_KAFKA_SASL_USER, value: {{ .Values.kafka.sasl.user | quote }}}
- {name: PITCHSTREAM_KAFKA_SASL_PASSWORD_FILE, value: {{ printf "/etc/pitchstream/secrets/%s" .Values.secrets.keys.kafkaPassword | quote }}}
{{- end }}
{{- end -}}

{{- define "pitchstream.topicEnv" -}}
- {name: PITCHSTREAM_TOPIC_RAW, value: {{ .Values.topics.raw | quote }}}
- {name: PITCHSTREAM_TOPIC_ROWS, value: {{ .Values.topics.rows | quote }}}
- {name: PITCHSTREAM_TOPIC_DEAD, value: {{ .Values.topics.dead | quote }}}
{{- end -}}

{{- define "pitchstream.registryEnv" -}}
{{- if .Values.schemaRegistry.url }}
- {name: PITCHSTREAM_SCHEMA_REGISTRY_URL, value: {{ .Values.schemaRegistry.url | quote }}}
{{- if .Values.schemaRegistry.login }}
- {name: PITCHSTREAM_SCHEMA_REGISTRY_PASSWORD_FILE, value: {{ printf "/etc/pitchstream/secrets/%s" .Values.secrets.keys.schemaRegistryPassword | quote }}}
{{- end }}
- {name: PITCHSTREAM_SCHEMA_REGISTRY_AUTO_REGISTER, value: {{ .Values.schemaRegistry.autoRegister | quote }}}
{{- end }}
- {name: PITCHSTREAM_ROWS_FORMAT, value: {{ .Values.schemaRegistry.rowsFormat | quote }}}
{{- end -}}

{{- define "pitchstream.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{- define "pitchstream.placement" -}}
{{- with .pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- with .pod.topologySpreadConstraints }}
{{- toYaml . | nindent 2 }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "pitchstream.selector" (dict "root" $.root "component" $.component) | nindent 8 }}
{{- end }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
