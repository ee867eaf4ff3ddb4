using System.Xml.Linq;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Puts a processor, as QEMU names it, into libvirt's words.</summary>
internal static class LibvirtCpu
{
    // Where libvirt's word for a feature is not QEMU's.
    private static readonly Dictionary<string, string> Renamed = new(StringComparer.Ordinal)
    {
        ["pclmulqdq"] = "pclmuldq",
        ["sse4-1"] = "sse4.1",
        ["sse4-2"] = "sse4.2",
        ["tsc-adjust"] = "tsc_adjust",
        ["fxsr-opt"] = "fxsr_opt",
        ["cmp-legacy"] = "cmp_legacy",
        ["lahf-lm"] = "lahf_lm",
    };

    /// <summary>The element, or null when it cannot be said to libvirt.</summary>
    /// <param name="model">The model and what is added and taken away, such as <c>qemu64,+aes,-svm,avx=off</c>.</param>
    public static XElement? Element(string model)
    {
        string[] parts = model.Split(',');
        XElement cpu = parts[0] switch
        {
            "host" => new XElement("cpu", new XAttribute("mode", "host-passthrough"), new XAttribute("check", "none")),
            "max" => new XElement("cpu", new XAttribute("mode", "maximum"), new XAttribute("check", "none")),
            _ => new XElement("cpu", new XAttribute("mode", "custom"), new XAttribute("match", "exact"), new XAttribute("check", "none"),
                new XElement("model", new XAttribute("fallback", "forbid"), parts[0])),
        };
        foreach (string part in parts.Skip(1))
        {
            if (Feature(part) is not var (name, has))
            {
                return null;
            }

            cpu.Add(new XElement("feature", new XAttribute("policy", has ? "require" : "disable"), new XAttribute("name", Renamed.GetValueOrDefault(name, name))));
        }

        return cpu;
    }

    private static (string Name, bool Has)? Feature(string part) => part switch
    {
        ['+', .. { Length: > 0 } name] => (name, true),
        ['-', .. { Length: > 0 } name] => (name, false),
        _ => part.Split('=') switch
        {
            [{ Length: > 0 } name, "on"] => (name, true),
            [{ Length: > 0 } name, "off"] => (name, false),
            _ => null,
        },
    };
}
