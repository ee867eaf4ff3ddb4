using System.Globalization;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo ps</c>: the environments that are up.</summary>
internal static class PsVerb
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        var verb = new Verb("ps", "List the environments that are up, with their machines",
            "virtigo ps",
            "virtigo ps --json | jq -r '.environments[].forwards[].endpoint'");
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            IReadOnlyList<RunningEnvironment> up = await new RunningEnvironments(host.Paths).ListAsync(cancellationToken);
            RunningStatus?[] asked = await Task.WhenAll(up.Select(one => StatusAsync(run, one, cancellationToken)));
            RunningStatus[] all = [.. asked.OfType<RunningStatus>()];
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(new PsReport([.. all.Select(Line)]), CliJson.Indented.PsReport));
            }
            else if (all.Length == 0)
            {
                run.People("No environment is up. Start one: virtigo up FILE");
            }
            else
            {
                Table.Write(host.Data, [["ENVIRONMENT", "MACHINE", "STATE", "MEMORY", "ADDRESS", "SINCE", "FORWARDS"], .. all.SelectMany(Rows)]);
                foreach ((string name, string refusal) in all.SelectMany(status => status.Refusals.Select(refusal => (status.Name, refusal))))
                {
                    run.People(Text.Plain($"{name}: refused: {refusal}"));
                }
            }

            return 0;
        });
        return verb;
    }

    /// <summary>What programs are told of an environment.</summary>
    public static EnvironmentLine Line(RunningStatus status) => new(status.Name, status.File, status.Since, status.ProcessId,
        [
            .. status.Machines.Select(machine => new MachineLine(machine.Name, machine.State.ToString().ToLowerInvariant(), machine.MemoryMiB, machine.Cpus,
                [.. machine.Addresses.Select(address => new AddressLine(address.Network, address.Ipv4, address.Ipv6))])),
        ],
        [.. status.Forwards.Select(forward => new ForwardLine(forward.Machine, forward.Port, forward.Endpoint))])
    {
        Refusals = status.Refusals.Count > 0 ? status.Refusals : null,
    };

    /// <summary>How it is; null when it ended meanwhile. One that does not answer is told and left out.</summary>
    private static async Task<RunningStatus?> StatusAsync(Invocation run, RunningEnvironment environment, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_limit, run.Host.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await environment.StatusAsync(either.Token);
        }
        catch (VirtigoException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            run.People($"{environment.Name} does not answer; its process is {environment.ProcessId}.");
            return null;
        }
    }

    private static IEnumerable<IReadOnlyList<string>> Rows(RunningStatus status) => status.Machines.Index().Select(machine => (IReadOnlyList<string>)
    [
        machine.Index == 0 ? status.Name : "",
        machine.Item.Name,
        machine.Item.State.ToString().ToLowerInvariant(),
        $"{machine.Item.MemoryMiB} MiB",
        string.Join(' ', machine.Item.Addresses.Select(address => address.Ipv4)),
        machine.Index == 0 ? status.Since.LocalDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : "",
        string.Join(' ', status.Forwards.Where(forward => forward.Machine == machine.Item.Name).Select(forward => $"{forward.Port}={forward.Endpoint}")),
    ]);
}
