{{/*
Under an alias .Chart.Name is the alias, and `eaterInit` is not a name that Kubernetes takes.
*/}}
{{- define "eater-init.name" -}}
{{- .Values.nameOverride | default "eater-init" -}}
{{- end }}

{{- define "eater-init.fullname" -}}
{{- $name := include "eater-init.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- regexReplaceAll "[-.]+$" (trunc 50 $name) "" -}}
{{- end }}

{{/*
A CronJob's name is at most 52 characters: those of its Jobs have the time behind it.
*/}}
{{- define "eater-init.verifyName" -}}
{{- regexReplaceAll "[-.]+$" (trunc 45 (include "eater-init.fullname" .)) "" }}-verify
{{- end }}

{{- define "eater-init.jobName" -}}
{{- .Values.job.name | default (include "eater-init.fullname" .) -}}
{{- if not .Values.job.hookEvents }}-{{ .Release.Revision }}{{ end -}}
{{- end }}

{{- define "eater-init.labels" -}}
app.kubernetes.io/name: {{ include "eater-init.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: database
app.kubernetes.io/part-of: chater
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "eater-init-%s" .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{/*
A number of a values file is a float, whose text from a million on would be 1e+06.
*/}}
{{- define "eater-init.text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/*
A variable of extraEnv is left out here: Helm 4 is refused a list that names one twice.
*/}}
{{- define "eater-init.env" -}}
{{- $extra := list -}}
{{- range .Values.extraEnv }}{{ $extra = append $extra .name }}{{ end -}}
{{- range include "eater-init.ownEnv" . | fromYamlArray -}}
{{- if not (has .name $extra) }}{{ toYaml (list .) }}{{ "\n" }}{{ end -}}
{{- end -}}
{{- with .Values.extraEnv }}{{ tpl (toYaml .) $ }}{{ end -}}
{{- end }}

{{- define "eater-init.where" -}}
{{- $server := .Values.postgresql -}}
{{- if or $server.urlKey $server.hostKey $server.databaseKey -}}
the database of Secret {{ $server.existingSecret }}
{{- else -}}
database {{ $server.database }} on {{ $server.host }}
{{- end -}}
{{- end }}

{{- define "eater-init.secret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 2 | quote }}
      key: {{ index . 1 | quote }}
{{- end }}

{{/*
A variable from the Secret's key, if one is named, else its value.
*/}}
{{- define "eater-init.given" -}}
{{- $key := index . 2 -}}
{{- if $key }}{{ include "eater-init.secret" (list (index . 0) $key (index . 3)) }}
{{- else -}}
- name: {{ index . 0 }}
  value: {{ index . 1 | quote }}
{{- end }}
{{- end }}

{{/*
A name of a list is quoted as in SQL where it has to be.
*/}}
{{- define "eater-init.schemas" -}}
{{- if kindIs "string" . }}{{ . }}
{{- else -}}
{{- $names := list -}}
{{- range . -}}
{{- $plain := regexMatch "^[^\\s,\"]+$" . -}}
{{- $names = append $names (ternary . (printf "\"%s\"" (replace "\"" "\"\"" .)) $plain) -}}
{{- end -}}
{{- join "," $names -}}
{{- end -}}
{{- end }}

{{- define "eater-init.ownEnv" -}}
{{- $server := .Values.postgresql -}}
{{- $port := include "eater-init.text" $server.port -}}
{{- $secret := tpl $server.existingSecret . -}}
{{- if $server.urlKey }}
{{ include "eater-init.secret" (list "DATABASE_URL" $server.urlKey $secret) }}
- name: POSTGRES_PORT # a Service called `postgres` sets it to tcp://…; empty, it is the URL's
  value: ""
{{- else }}
{{ include "eater-init.given" (list "POSTGRES_HOST" (tpl $server.host .) $server.hostKey $secret) }}
{{ include "eater-init.given" (list "POSTGRES_PORT" $port $server.portKey $secret) }}
{{ include "eater-init.given" (list "POSTGRES_DB" (tpl $server.database .) $server.databaseKey $secret) }}
{{ include "eater-init.secret" (list "POSTGRES_USER" $server.userKey $secret) }}
{{- end }}
{{- if not (or $server.schemasQuery $server.schemasFile) }}
- name: POSTGRES_SCHEMAS
  value: {{ include "eater-init.schemas" $server.schemas | quote }}
{{- end }}
{{- with $server.schemasQuery }}
- name: POSTGRES_SCHEMAS_QUERY
  value: {{ . | quote }}
{{- end }}
{{- with $server.schemasFile }}
- name: POSTGRES_SCHEMAS_FILE
  value: {{ . | quote }}
{{- end }}
{{- if $server.passwordFile }}
- name: POSTGRES_PASSWORD_FILE
  value: {{ $server.passwordFile | quote }}
{{- else if not $server.urlKey }}
{{ include "eater-init.secret" (list "POSTGRES_PASSWORD" $server.passwordKey $secret) }}
{{- end }}
{{- with $server.sslmode }}
- name: POSTGRES_SSLMODE
  value: {{ . }}
{{- end }}
{{- with $server.sslrootcert }}
- name: POSTGRES_SSLROOTCERT
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ include "eater-init.text" $value | quote }}
{{- end }}
{{- with .Values.report }}{{ if .volume }}
- name: POD_NAME # before the path that names it
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: EATER_REPORT
  value: {{ .path | quote }}
{{- end }}{{ end }}
{{- with .shards }}
- name: SHARDS # of which a pod's is its JOB_COMPLETION_INDEX
  value: {{ include "eater-init.text" . | quote }}
{{- end }}
{{- end }}

{{- define "eater-init.image" -}}
{{- $image := .Values.image -}}
{{- with .Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "eater-init.pullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- {{ if kindIs "string" . }}name: {{ . | quote }}{{ else }}{{ toYaml . }}{{ end }}
{{- end }}
{{- end }}

{{- define "eater-init.serviceAccount" -}}
{{- $account := .Values.serviceAccount -}}
{{- if $account.name }}{{ tpl $account.name . }}
{{- else if $account.create }}{{ include "eater-init.fullname" . }}{{ end -}}
{{- end }}

{{- define "eater-init.container" -}}
- name: eater-init
  image: {{ include "eater-init.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- with .args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  env:
    {{- include "eater-init.env" . | trim | nindent 4 }}
  {{- with .Values.envFrom }}
  envFrom:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with include "eater-init.mounts" . | trim }}
  volumeMounts:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "eater-init.mounts" -}}
{{- with .Values.report }}{{ if .volume }}
- name: report
  mountPath: {{ dir .path | quote }}
{{- end }}{{ end }}
{{- with .Values.extraVolumeMounts }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{- define "eater-init.podVolumes" -}}
{{- with .Values.report.volume }}
- name: report
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end }}

{{/*
Whether each shard has attempts of its own, as from Kubernetes 1.29 on, and with Never only.
*/}}
{{- define "eater-init.eachShard" -}}
{{- $job := .Values.job -}}
{{- $new := semverCompare ">=1.29-0" .Capabilities.KubeVersion.Version -}}
{{- if and (gt (int $job.shards) 1) $new (eq $job.restartPolicy "Never") }}true{{ end -}}
{{- end }}

{{/*
The argument is what becomes of the Job, or of one shard of it, that somebody has to act for.
*/}}
{{- define "eater-init.podFailurePolicy" -}}
rules:
  {{- if eq . "FailIndex" }}
  # Exit code 2: the other shards would end the same.
  {{- include "eater-init.failAt" (list "FailJob" 2) | nindent 2 }}
  # Exit codes 4 and 5: another attempt would end the same until somebody acts.
  {{- include "eater-init.failAt" (list . 4 5) | nindent 2 }}
  {{- else }}
  # Exit codes 2, 4 and 5: another attempt would end the same until somebody acts.
  {{- include "eater-init.failAt" (list . 2 4 5) | nindent 2 }}
  {{- end }}
  # A pod that is evicted, or whose node is drained, is no attempt that failed.
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
{{- end }}

{{- define "eater-init.failAt" -}}
- action: {{ first . }}
  onExitCodes:
    containerName: eater-init
    operator: In
    values: [{{ rest . | join ", " }}]
  onPodConditions: [] # The schema of Kubernetes 1.25 requires it.
{{- end }}

{{/*
The metadata and spec of every pod. Beside .Values there are its own restartPolicy, args and shards.
*/}}
{{- define "eater-init.pod" -}}
metadata:
  labels:
    {{- include "eater-init.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
spec:
  restartPolicy: {{ .restartPolicy }}
  terminationGracePeriodSeconds: {{ include "eater-init.text" .Values.job.terminationGracePeriodSeconds }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with include "eater-init.serviceAccount" . }}
  serviceAccountName: {{ . | quote }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with include "eater-init.pullSecrets" . | trim }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraInitContainers }}
  initContainers:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  containers:
    {{- include "eater-init.container" . | nindent 4 }}
    {{- with .Values.extraContainers }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- with include "eater-init.podVolumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
For other charts, in the pod of a Deployment: the item of initContainers, and those of volumes.
README.md has the two lines.
*/}}
{{- define "eater-init.initContainer" -}}
{{- $untimed := dict "settings" (dict "ENABLE_PERFORMANCE_TEST" "false") -}}{{/* each replica would */}}
{{- $values := mustMergeOverwrite (.Values | toYaml | fromYaml) $untimed -}}
{{- $_ := set $values "report" dict -}}{{/* not of each replica either */}}
{{- $context := merge (dict "Values" $values) (omit . "Values") -}}
{{- if .Values.enabled }}{{ include "eater-init.container" $context }}{{ end -}}
{{- end }}

{{- define "eater-init.volumes" -}}
{{- if and .Values.enabled .Values.extraVolumes }}{{ tpl (toYaml .Values.extraVolumes) . }}{{ end -}}
{{- end }}
