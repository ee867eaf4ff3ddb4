using System.CommandLine;
using Virtigo.Hypervisors;

namespace Virtigo.Cli.Verbs;

/// <summary>The option that chooses how guests' code runs.</summary>
internal static class Accelerators
{
    public static Option<string> Option()
    {
        Option<string> option = new("--accel")
        {
            Description = "How the guest's code runs: kvm, tcg (emulated), or auto",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "kvm", "tcg");
        return option;
    }

    public static Accelerator Of(string? word) => word switch
    {
        "kvm" => Accelerator.Kvm,
        "tcg" => Accelerator.Tcg,
        _ => Accelerator.Auto,
    };
}
