{{- /*
The labels of every object. The last two are Helm's own, which the kustomize forms have no use for; pods do not have them, so that
a new chart alone restarts nothing.
*/}}
{{- define "nodegrace.partOf" -}}
app.kubernetes.io/part-of: nodegrace
{{- end }}
{{- define "nodegrace.helm" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "nodegrace.agent" -}}
app.kubernetes.io/name: nodegrace-agent
{{ include "nodegrace.partOf" . }}
{{ include "nodegrace.helm" . }}
{{- end }}
{{- define "nodegrace.aggregator" -}}
app.kubernetes.io/name: nodegrace-aggregator
{{ include "nodegrace.partOf" . }}
{{ include "nodegrace.helm" . }}
{{- end }}
{{- define "nodegrace.scraper" -}}
app.kubernetes.io/name: nodegrace-scraper
{{ include "nodegrace.partOf" . }}
{{ include "nodegrace.helm" . }}
{{- end }}
