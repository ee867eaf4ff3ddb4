using System.Globalization;

namespace Virtigo.Images;

/// <summary>Reads the percentages that <c>qemu-img convert -p</c> prints, as in <c>(12.34/100%)</c>, from pieces of any length.</summary>
internal sealed class ConvertProgress(IProgress<double>? progress)
{
    private const int LongestNumber = 16;
    private string _number = "";
    private bool _inside;

    public void Read(string piece)
    {
        foreach (char c in piece)
        {
            switch (c)
            {
                case '(':
                    (_inside, _number) = (true, "");
                    break;
                case '/' when _inside:
                    _inside = false;
                    Report();
                    break;
                case var _ when _inside && _number.Length < LongestNumber:
                    _number += c;
                    break;
                default:
                    break;
            }
        }
    }

    private void Report()
    {
        if (double.TryParse(_number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent))
        {
            progress?.Report(Math.Clamp(percent / 100, 0, 1));
        }
    }
}
