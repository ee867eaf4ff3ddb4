using System.CommandLine;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo run</c>: a throw-away copy of an image with its serial console on this terminal.</summary>
internal static class RunVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string> accelerator = Accelerators.Option();
        Option<int?> cpus = new("--cpus") { Description = "How many virtual CPUs [default: 1]", HelpName = "count" };
        var verb = new Verb("run", "Boot a throw-away copy of an image, its serial console on this terminal; Ctrl-] leaves and destroys it",
            "virtigo run web                    # Ctrl-] to leave",
            "virtigo run web < /dev/null        # only look at it boot")
        {
            which, accelerator, cpus,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            StoredImage image = new ImageStore(host.Paths).Find(run.Value(which)!);
            var how = new RunOptions { Accelerator = Accelerators.Of(run.Value(accelerator)), Cpus = run.Value(cpus) };
            await using ImageRun machine = await ImageRun.StartAsync(host.Paths, new QemuHypervisor(host.Paths), image, how, cancellationToken);
            run.People($"A throw-away copy of {image.Name} {ImagesVerb.Short(image.Key)}: nothing it writes is kept. Ctrl-] leaves.");
            return await TalkAsync(run, machine, cancellationToken);
        });
        return verb;
    }

    private static async Task<int> TalkAsync(Invocation run, ImageRun machine, CancellationToken cancellationToken)
    {
        bool left;
        using (RawTerminal.Enter())
        {
            left = await ConsoleBridge.RunAsync(
                machine.Console, Console.OpenStandardInput(), Console.OpenStandardOutput(), machine.Exited, cancellationToken);
        }

        if (left)
        {
            run.People("\nLeft; the copy is gone.");
            return 0;
        }

        GuestExit exit = await machine.Exited;
        run.People($"\n{exit.Detail}");
        return exit.Reason is GuestExitReason.GuestShutdown or GuestExitReason.GuestReset ? 0 : (int)FailureKind.Guest;
    }
}
