{{- define "stele.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "stele.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "stele.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "stele.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "stele.selector" -}}
app.kubernetes.io/name: {{ include "stele.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stele.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "stele.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "stele.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "stele.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "stele.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* The host of a URL, without its port. */}}
{{- define "stele.publicHost" -}}
{{- with .Values.publicUrl }}{{ regexReplaceAll ":[0-9]+$" (urlParse .).host "" }}{{ end }}
{{- end }}

{{/* Refuses what could not work, with the remedy. */}}
{{- define "stele.check" -}}
{{- if not .Values.administrator.existingSecret }}
{{- fail "administrator.existingSecret is needed: the server listens beyond loopback only once there is an administrator. Make one with `kubectl create secret generic stele-admin --from-literal=password=...`" }}
{{- end }}
{{- if gt (int .Values.replicas) 1 }}
{{- if not .Values.database.existingSecret }}
{{- fail "several replicas need database.existingSecret, with the URL of a PostgreSQL database: SQLite is for one server" }}
{{- end }}
{{- if not .Values.artifacts }}
{{- fail "several replicas need artifacts in a bucket, such as s3://models/stele" }}
{{- end }}
{{- if not .Values.secretKey.existingSecret }}
{{- fail "several replicas need secretKey.existingSecret, since each would make a key of its own" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stele.hasVolume" -}}
{{- if or (not .Values.database.existingSecret) (not .Values.artifacts) (not .Values.secretKey.existingSecret) }}yes{{ end }}
{{- end }}

{{/* What both containers know about the record. */}}
{{- define "stele.recordEnv" -}}
{{- with .Values.database.existingSecret }}
- name: STELE_DATABASE
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.database.key }}
{{- end }}
{{- with .Values.artifacts }}
- name: STELE_ARTIFACTS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.secretKey.existingSecret }}
- name: STELE_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.secretKey.key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "stele.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "stele.mounts" -}}
- name: data
  mountPath: /var/lib/stele
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
