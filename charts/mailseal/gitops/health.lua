-- Health of every kind of mailseal.dev, for Argo CD. It needs none of the libraries that useOpenLibs opens.
local status = obj.status or {}
local current = status.observedGeneration == obj.metadata.generation
local conditions = {}
if current then
  for _, condition in ipairs(status.conditions or {}) do
    conditions[condition.type] = condition
  end
end

local ready = conditions.Ready
local message = "waiting for Mailseal to look at it"
if ready ~= nil then
  message = ready.message
end

-- What only a human can mend is said even of an object that is suspended.
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return { status = "Degraded", message = conditions.Stalled.message }
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return { status = "Suspended", message = "suspended: only certificates are renewed; " .. message }
end
if ready == nil or ready.status == "Unknown" then
  return { status = "Progressing", message = message }
end
if conditions.Reconciling ~= nil and conditions.Reconciling.status == "True" then
  return { status = "Progressing", message = message }
end
if ready.status == "True" then
  return { status = "Healthy", message = message }
end
return { status = "Degraded", message = message }
