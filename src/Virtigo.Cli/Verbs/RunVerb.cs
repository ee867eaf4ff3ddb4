using System.CommandLine;
using Microsoft.Win32.SafeHandles;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Hypervisors;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo run</c>: a throw-away copy of an image with its serial console on this terminal.</summary>
internal static class RunVerb
{
    /// <summary>The variable with the passphrase of an encrypted image, for a run where nobody types it.</summary>
    public const string PassphraseVariable = "VIRTIGO_DISK_PASSPHRASE";

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> which = ImagesVerb.Argument(host);
        Option<string> accelerator = Accelerators.Option();
        Option<int?> cpus = new("--cpus") { Description = "How many virtual CPUs [default: 1]", HelpName = "count" };
        Option<string?> hypervisor = HypervisorOptions.Option("What runs it; auto takes the fastest that can [default: auto]");
        Option<bool> trusted = HypervisorOptions.Trusted("it", "auto");
        Option<bool> root = new("--root") { Description = "Log the console in as root, in this copy only" };
        var verb = new Verb("run", "Boot a throw-away copy of an image, its serial console on this terminal; Ctrl-] leaves and destroys it, Ctrl-^ and a key is a SysRq command",
            "virtigo run web                    # Ctrl-] to leave",
            "virtigo run web --root             # logged in as root as soon as it is up",
            "virtigo run web --trusted          # in whatever is the fastest here, even if it is no wall against you",
            "virtigo run web < /dev/null        # only look at it boot")
        {
            which, root, hypervisor, trusted, accelerator, cpus,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            StoredImage image = new ImageStore(host.Paths).Find(run.Value(which)!);
            var how = new RunOptions { Accelerator = Accelerators.Of(run.Value(accelerator)), Cpus = run.Value(cpus) };
            using var kernel = new ImageKernel(host.Paths, image);
            var needs = new HypervisorNeeds($"A copy of {image.Name}", ImageBoot.Needs)
            {
                Kernel = kernel.CopyOutAsync,
                Trusted = run.Value(trusted),
                Wished = run.Value(trusted) && how.Accelerator == Accelerator.Auto ? [] : ["disk boot"],
            };
            IHypervisor chosen = await HypervisorOptions.ChooseAsync(run, run.Value(hypervisor) ?? HypervisorChoice.Auto, needs, cancellationToken);
            await using ImageRun machine = await ImageRun.StartAsync(host.Paths, chosen, image, how, cancellationToken);
            using var unlock = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task unlocking = Environment.GetEnvironmentVariable(PassphraseVariable) is { Length: > 0 } passphrase && ImageRun.IsEncrypted(image)
                ? machine.UnlockAsync(passphrase, unlock.Token)
                : Task.CompletedTask;
            run.People($"A throw-away copy of {image.Name} {ImagesVerb.Short(image.Key)}: nothing it writes is kept. Ctrl-] leaves.");
            if (ImageRun.IsEncrypted(image) && unlocking.IsCompleted)
            {
                run.People($"Its disk is encrypted: type the passphrase when it asks, or run it with {PassphraseVariable} set.");
            }

            if (run.Value(root))
            {
                run.People("Its console is logged in as root as soon as its agent answers.");
            }
            else if (!ImageRun.HasPassword(image))
            {
                run.People($"Nobody has a password in it. To log in as root: virtigo run {run.Value(which)} --root");
            }

            try
            {
                return await TalkAsync(run, machine, run.Value(root), cancellationToken);
            }
            finally
            {
                await unlock.CancelAsync();
                await unlocking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        });
        return verb;
    }

    private static async Task<int> TalkAsync(Invocation run, ImageRun machine, bool asRoot, CancellationToken cancellationToken)
    {
        bool left;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Not the console's own stream: of a terminal, that one reads whole lines, echoes them and keeps Ctrl-].
        using var standardInput = new SafeFileHandle(0, ownsHandle: false);
        await using var typed = new FileStream(standardInput, FileAccess.Read, bufferSize: 0);
        (int, int)? size = Console.IsOutputRedirected ? null : (Console.WindowHeight, Console.WindowWidth);
        using (RawTerminal.Enter())
        {
            Task rooted = asRoot ? LogRootInAsync(run, machine, size, stop.Token) : Task.CompletedTask;
            left = await ConsoleBridge.RunAsync(
                machine.Console, typed, Console.OpenStandardOutput(), machine.SysRqAsync, machine.Exited, cancellationToken);
            await stop.CancelAsync();
            await rooted;
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

    private static async Task LogRootInAsync(Invocation run, ImageRun machine, (int, int)? size, CancellationToken cancellationToken)
    {
        try
        {
            await machine.LogRootInAsync(size, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The person left first.
        }
        catch (VirtigoException failure) when (!machine.Exited.IsCompleted)
        {
            run.People($"\r\nThe console is not logged in as root: {failure.Message}\r");
        }
        catch (VirtigoException)
        {
            // The machine's end is told by itself.
        }
    }
}
