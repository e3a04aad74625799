// What Argo CD and Flux would say of an object, each by the engine that it runs itself: gopher-lua with the few
// libraries that Argo CD opens to a health script, and the evaluator of Flux for healthCheckExprs. Stdin is JSON,
// `{lua, expressions: {current, inProgress, failed}, objects: […]}`; stdout one verdict per object.
package main

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
)

type question struct {
	Lua         string                           `json:"lua"`
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	Objects     []map[string]any                 `json:"objects"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdict struct {
	Argo      *health `json:"argo,omitempty"`
	ArgoError string  `json:"argoError,omitempty"`
	Flux      string  `json:"flux,omitempty"`
	FluxError string  `json:"fluxError,omitempty"`
}

func main() {
	if err := answer(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var asked question
	// Whole numbers become int64 here, as they do in both controllers, and not float64.
	if err := json.Unmarshal(text, &asked); err != nil {
		return err
	}
	evaluator, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		return err
	}
	verdicts := []verdict{}
	for _, object := range asked.Objects {
		verdicts = append(verdicts, judge(asked.Lua, evaluator, object))
	}
	return stdjson.NewEncoder(out).Encode(verdicts)
}

func judge(script string, evaluator *cel.StatusEvaluator, object map[string]any) verdict {
	var said verdict
	if argo, err := runLua(script, object); err != nil {
		said.ArgoError = err.Error()
	} else {
		said.Argo = argo
	}
	if flux, err := evaluator.Evaluate(context.Background(), &unstructured.Unstructured{Object: object}); err != nil {
		said.FluxError = err.Error()
	} else {
		said.Flux = flux.Status.String()
	}
	return said
}

// runLua allows a script what Argo CD allows it without useOpenLibs: no strings, no mathematics, one second.
func runLua(script string, object map[string]any) (*health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limited)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returned a %s, not a table", state.Get(-1).Type())
	}
	return &health{Status: table.RawGetString("status").String(), Message: table.RawGetString("message").String()}, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		list := state.CreateTable(len(known), 0)
		for _, item := range known {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(known))
		for key, item := range known {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		panic(fmt.Sprintf("JSON has no %T", known))
	}
}
