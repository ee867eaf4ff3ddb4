using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Virtigo.Host;

namespace Virtigo.Tests.Host;

/// <summary>This test program run again as one that owns a child, to be killed by a test.</summary>
internal static class ParentProcess
{
    private const string Variable = "VIRTIGO_TEST_PARENT";

    /// <summary>Starts the parent.</summary>
    /// <returns>The parent, and the process id of its child.</returns>
    public static async Task<(Process Parent, int Child)> StartAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[Variable] = "1";
        Process parent = Process.Start(start)!;
        try
        {
            string line = (await parent.StandardOutput.ReadLineAsync(cancellationToken))!;
            return (parent, int.Parse(line, CultureInfo.InvariantCulture));
        }
        catch
        {
            parent.Kill();
            throw;
        }
    }

    [ModuleInitializer]
    internal static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is null)
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        ChildProcess child = ChildProcess.StartAsync(new ChildCommand("sleep", ["1000"]), CancellationToken.None).GetAwaiter().GetResult();
        Console.WriteLine(child.Id);
        Environment.Exit(child.Exited.GetAwaiter().GetResult());
    }
}
